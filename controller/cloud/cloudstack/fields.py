"""Reads the fields of CloudStack's entries, whatever a version makes of their types."""

from typing import Any

Row = dict[str, Any]
"""One entry of a CloudStack list, as it came."""


def text(row: Row, name: str) -> str:
    """A field as one line of text; empty where it is absent (some numbers come as strings, some as numbers)."""
    said = row.get(name)
    if not isinstance(said, str):  # nearly always it is
        if said is None or isinstance(said, (dict, list)):
            return ""
        said = str(said)
    if not said.isprintable():
        said = "".join(letter if letter.isprintable() else " " for letter in said)
    return said.strip()


def flag(row: Row, name: str) -> bool:
    """A boolean field, which some versions send as text."""
    return text(row, name).lower() == "true"


def block(row: Row, name: str) -> Row:
    """A nested object; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}
