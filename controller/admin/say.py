"""A command's answer, on standard output; everything else is the log's."""


def say(text: str) -> None:
    """One line."""
    print(text, flush=True)  # noqa: T201 - a command's answer
