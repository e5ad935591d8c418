"""What ends an administrator's command."""


class AdminError(Exception):
    """The command did not do its work; one line that says why, and what to do about it."""
