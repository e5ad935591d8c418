"""What the demo says: one line a happening, with the seconds since its start; colours only on a terminal."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence

_WIDEST = 116
_MARGIN = 12
_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "1;31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cloud": "36",
    "title": "1;36",
}


class Teller:
    """Says lines."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._room = max(60, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)) - _MARGIN
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        """A new part of the story."""
        self.plain(f"\n{self._styled(text, 'title')}")

    def say(self, text: str, *, style: str = "") -> None:
        """Something happened."""
        moment = self._styled(f"{time.monotonic() - self._started:7.1f} s   ", "dim")
        first, *rest = textwrap.wrap(text, self._room) or [""]
        self.plain(moment + self._styled(first, style))
        for line in rest:
            self.plain(" " * _MARGIN + self._styled(line, style))

    def more(self, text: str) -> None:
        """More about what was just said."""
        for number, line in enumerate(textwrap.wrap(text, self._room - 2)):
            self.plain(" " * _MARGIN + self._styled(("  " if number else "- ") + line, "dim"))

    def block(self, text: str) -> None:
        """Something as it is: a mail, a log."""
        for line in text.splitlines():
            self.plain(" " * _MARGIN + self._styled(f"| {line}".rstrip(), "dim"))

    def check(self, text: str, *, good: bool) -> None:
        """A fact that was checked."""
        self.plain(self._styled(f"  {'yes' if good else 'NO '}  {text}", "green" if good else "red"))

    def table(self, title: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """Some numbers: what, how much, and a remark."""
        self.plain(f"\n{self._styled(title, 'bold')}")
        wide = max(len(what) for what, _, _ in rows)
        for what, number, remark in rows:
            self.plain(f"  {what:<{wide}}  {number:>7}   {remark}".rstrip())

    def plain(self, text: str) -> None:
        """Outside the story."""
        print(text, flush=True)

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{_CODES[style]}m{text}\033[0m" if style and self._colours else text
