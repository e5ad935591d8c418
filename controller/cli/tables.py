"""The shape of everything that is printed: plain tables and lists of facts that read well at 80 columns."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.cli.text import plain


def table(*columns: str, rows: Iterable[Iterable[Text | str]], empty: str) -> RenderableType:
    """Columns with heads; a name that begins with ``>`` stands to the right. ``empty``: said instead of no rows."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        made.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=place == 0,
        )
    count = 0
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
        count += 1
    return made if count else plain(empty)


def facts(rows: Iterable[tuple[str, Text | str]]) -> RenderableType:
    """Names and values, one a line."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(plain(name, "dim"), value if isinstance(value, Text) else plain(value))
    return made


def remarks(rows: Iterable[tuple[Text, str, str]]) -> RenderableType:
    """How something stands, what it is, and below that what to do about it."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for stands, what, remedy in rows:
        made.add_row(stands, plain(what))
        if remedy:
            made.add_row("", plain(f"To do: {remedy}", "dim"))
    return made


def titled(title: str, *parts: RenderableType) -> RenderableType:
    """A heading with what belongs to it, and a line of air."""
    return Group(plain(title, "bold"), *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts), plain(""))


def under(head: Text, *parts: RenderableType) -> RenderableType:
    """A line that is a heading already, with what belongs to it."""
    return Group(head, *(Padding(part, (0, 0, 0, 4), expand=False) for part in parts), plain(""))


def stacked(*parts: RenderableType) -> RenderableType:
    """One below the other."""
    return Group(*parts)
