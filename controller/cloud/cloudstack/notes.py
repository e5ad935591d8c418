"""Collects what could not be taken over, one plain sentence for each reason however many things it is about."""

from typing import Any

NAMED = 8
"""How many names a sentence shows; the rest is a number."""

Row = dict[str, Any]
"""One entry of a CloudStack list, as it came."""


class Notes:
    """Sentences in the order of their first mention."""

    def __init__(self) -> None:
        self._about: dict[str, dict[str, None]] = {}

    def say(self, sentence: str, name: str = "") -> None:
        """``sentence`` may have ``{names}``: what is said of several is said once."""
        about = self._about.setdefault(sentence, {})
        if name:
            about[name] = None

    def sentences(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sentence.replace("{names}", listed(list(names))) for sentence, names in self._about.items())


def listed(names: list[str]) -> str:
    """``a, b and 7 more``."""
    if len(names) <= NAMED:
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def text(row: Row, name: str) -> str:
    """A field as one line of text; empty where it is absent (some numbers come as strings, some as numbers)."""
    value = row.get(name)
    if value is None or isinstance(value, dict | list):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)).strip()


def flag(row: Row, name: str) -> bool:
    """A boolean field, which some versions send as text."""
    return text(row, name).lower() == "true"


def block(row: Row, name: str) -> Row:
    """A nested object; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}
