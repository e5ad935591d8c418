"""What the demo says: one line a happening, with the seconds since its start; colours only on a terminal."""

import textwrap
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 116
_MARGIN = 12


class Teller:
    """Says lines."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        """A new part of the story."""
        self._console.print(f"\n{text}", style="bold cyan")

    def say(self, text: str, *, style: str = "") -> None:
        """Something happened."""
        line = Text(f"{time.monotonic() - self._started:7.1f} s   ", style="dim")
        room = max(40, min(self._console.width, _WIDTH) - _MARGIN)
        lines = textwrap.wrap(text, room) or [""]
        self._console.print(line.append(f"\n{' ' * _MARGIN}".join(lines), style=style or "not dim"), soft_wrap=True)

    def more(self, text: str, *, mark: str = "·") -> None:
        """More about what was just said."""
        room = max(40, min(self._console.width, _WIDTH) - _MARGIN - 2)
        indent = " " * (_MARGIN + 2)
        lines = textwrap.wrap(text, room) or [""]
        self._console.print(f"{' ' * _MARGIN}{mark} " + f"\n{indent}".join(lines), style="dim", soft_wrap=True)

    def block(self, text: str) -> None:
        """Something as it is: a mail, a log."""
        for line in text.splitlines():
            self._console.print(f"{' ' * _MARGIN}| {line}".rstrip(), style="dim", soft_wrap=True)

    def check(self, text: str, *, good: bool) -> None:
        """A fact that was checked."""
        self._console.print(
            f"  {'yes' if good else 'NO '}  {text}", style="green" if good else "bold red", soft_wrap=True
        )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Some numbers."""
        table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2))
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number in (1, 2) else "left")
        for row in rows:
            table.add_row(*row)
        self._console.print()
        self._console.print(table)

    def plain(self, text: str) -> None:
        """Outside the story."""
        self._console.print(text, soft_wrap=True)
