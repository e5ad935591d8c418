"""What happened in one schedule, in order, for the rules and for people who read a failure."""

import zlib
from dataclasses import dataclass, field

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: when (seconds of the schedule), to or by whom, what."""

    at: float
    who: str
    what: str
    said: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.at:9.3f}  {self.who:<10} {self.what}" + (f": {self.said}" if self.said else "")


@dataclass(slots=True)
class Journal:
    """Append-only."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, at: float, who: str, what: str, said: str = "") -> None:
        self.entries.append(Entry(at, who, what, said))

    def story(self, last: int = 400) -> str:
        """The timeline as text; the newest ``last`` entries."""
        left_out = len(self.entries) - last
        lines = [f"  … {left_out} earlier entries"] if left_out > 0 else []
        return "\n".join([*lines, *(str(entry) for entry in self.entries[-last:])])

    def digest(self) -> int:
        """The same for the same story, in every process; for comparing two runs."""
        return zlib.crc32("\n".join(map(str, self.entries)).encode())
