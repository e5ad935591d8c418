"""What people were told and who changed what, on the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from controller.api.schemas.base import Answer
from controller.domain.model import Delivery, DeliveryStatus, Notice, Severity
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.words import words_for


class DeliveryOut(Answer):
    """Where one message to one channel stands."""

    channel: str
    status: DeliveryStatus
    tries: int
    next_try_at: datetime | None
    last_error: str
    sent_at: datetime | None


class NoticeOut(Answer):
    """What people were told."""

    id: str
    at: datetime
    kind: str
    severity: Severity
    incident_id: str | None
    host_id: str | None
    cluster_id: str | None
    host_name: str
    what: str
    why: list[Reason]
    next: str
    how_to_stop: str
    deliveries: list[DeliveryOut] = Field(default_factory=list)

    @classmethod
    def of(cls, notice: Notice, deliveries: list[Delivery]) -> "NoticeOut":
        """Both in one answer."""
        told = [DeliveryOut.model_validate(one) for one in deliveries]
        return cls.model_validate(notice).model_copy(update={"deliveries": told})


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
    """A reason in words. ``needs_a_person``: the hold never ends in an action by itself; ``waits``: time ends it."""

    code: Reason
    means: str
    do: str
    needs_a_person: bool
    waits: bool

    @classmethod
    def of(cls, reason: Reason) -> "ReasonOut":
        """From the one table of words."""
        words = words_for(reason)
        return cls(
            code=reason, means=words.means, do=words.do, needs_a_person=reason in NEEDS_A_PERSON, waits=reason in WAITS
        )
