"""How a command ends: exit codes, and the one exception that carries a message for people."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes. Documented in ``docs/cli.md``; programs depend on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    NOT_CONFIRMED = 6
    NOT_READY = 7
    INTERRUPTED = 130


EXPLAINED = {
    Exit.DONE: "done",
    Exit.FAILED: "refused by the controller (a rule, or a value that can't be used), or it failed; the text says which",
    Exit.USAGE: "the command line, the environment or a file given is not usable; nothing was sent",
    Exit.UNREACHABLE: "the controller could not be reached, or did not answer in time; after a command that changes "
    "something, look whether it was done",
    Exit.NOT_ALLOWED: "the token is missing or worth nothing, or its role does not allow this",
    Exit.NOT_FOUND: "there is no such host, cluster, incident, pause, channel or notification",
    Exit.NOT_CONFIRMED: "a dangerous command was not confirmed; nothing was done",
    Exit.NOT_READY: "with --check: something could not be fenced if it died now; from doctor: there is a problem",
    Exit.INTERRUPTED: "stopped with Ctrl-C; hostfence goes on with what it was told (a watch ends with 0)",
}
"""Every code, in words."""


class CliError(Exception):
    """Ends the command with ``code``; the text goes to standard error. ``hints``: what to do, a line each."""

    def __init__(self, text: str, *, code: Exit, hints: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.hints = hints
