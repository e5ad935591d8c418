"""Collects what is to be said to people, one plain sentence for each thing however many it is about. Pure."""

NAMED = 8
"""How many names a sentence shows; the rest is a number."""


class Remarks:
    """Sentences in the order of their first mention."""

    def __init__(self) -> None:
        self.about: dict[str, dict[str, None]] = {}

    def say(self, sentence: str, name: str = "") -> None:
        """``sentence`` may have ``{names}``: what is said of several is said once."""
        about = self.about.setdefault(sentence, {})
        if name:
            about[name] = None

    def take(self, other: "Remarks") -> None:
        """All that the other one says, too."""
        for sentence, names in other.about.items():
            self.about.setdefault(sentence, {}).update(names)

    def sentences(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sentence.replace("{names}", listed(list(names))) for sentence, names in self.about.items())


def listed(names: list[str]) -> str:
    """``a, b and 7 more``."""
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
