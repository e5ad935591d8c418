"""Who changed what, and what every reason means, on the wire."""

from datetime import datetime
from typing import Any

from controller.api.schemas.base import Answer
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.words import words_for


class AuditOut(Answer):
    """Who changed what."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    data: dict[str, Any]


class AuditPage(Answer):
    """Newest first; ``next_cursor`` is the way to the next page."""

    items: list[AuditOut]
    next_cursor: str | None


class ReasonOut(Answer):
    """A reason in words: what it means, where to look, what to do.

    `needs_a_person`: the hold never ends in an action by itself; `waits`: time ends it.
    """

    code: Reason
    means: str
    look: str
    do: str
    needs_a_person: bool
    waits: bool

    @classmethod
    def of(cls, reason: Reason) -> "ReasonOut":
        """From the one table of words."""
        words = words_for(reason)
        return cls(
            code=reason,
            means=words.means,
            look=words.look,
            do=words.do,
            needs_a_person=reason in NEEDS_A_PERSON,
            waits=reason in WAITS,
        )
