"""Notifications, their deliveries and the channels, on the wire."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from controller.api.schemas.base import Answer, Body, Name
from controller.domain.channels.base import COMMON, ChannelKind
from controller.domain.headlines import headline
from controller.domain.model import Delivery, DeliveryStatus, Notice, Severity
from controller.domain.reasons import Reason
from controller.services.channels import ChannelAtWork, ChannelTest


class DeliveryOut(Answer):
    """Where one message to one channel stands.

    ``last_error``: what hindered the last try, or what is worth knowing although it was sent (nothing confirms a trap).
    ``digest_id``: the notification that this one is told in, where its status is ``in_digest``.
    """

    channel: str
    status: DeliveryStatus
    tries: int
    next_try_at: datetime | None
    last_error: str
    sent_at: datetime | None
    digest_id: str | None
    resent_at: datetime | None


class NoticeBrief(Answer):
    """What was told, in a line."""

    id: str
    at: datetime
    kind: str
    severity: Severity
    incident_id: str | None
    host_id: str | None
    cluster_id: str | None
    host_name: str
    headline: str
    what: str

    @classmethod
    def of_notice(cls, notice: Notice) -> Self:
        """With its headline."""
        return cls(headline=headline(notice), **{name: getattr(notice, name) for name in _BRIEFLY})


_BRIEFLY = tuple(name for name in NoticeBrief.model_fields if name != "headline")


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
    def of(cls, notice: Notice, deliveries: list[Delivery]) -> Self:
        """Both in one answer."""
        told = [DeliveryOut.model_validate(one) for one in deliveries]
        return cls.model_validate(notice).model_copy(update={"deliveries": told})


class NoticeDetail(NoticeOut):
    """One notification; ``members``: of a digest, what it tells."""

    members: list[NoticeBrief] = Field(default_factory=list)

    @classmethod
    def with_members(cls, notice: Notice, deliveries: list[Delivery], members: list[Notice]) -> Self:
        """All of it."""
        told = [NoticeBrief.of_notice(one) for one in members]
        return cls.of(notice, deliveries).model_copy(update={"members": told})


class NoticePage(Answer):
    """Newest first; ``next_cursor`` is the way to the next page."""

    items: list[NoticeOut]
    next_cursor: str | None


class DeliveryLine(DeliveryOut):
    """A delivery with what it is to tell."""

    notification: NoticeBrief

    @classmethod
    def of(cls, delivery: Delivery, notice: Notice) -> Self:
        """Both in one answer."""
        about = DeliveryOut.model_validate(delivery).model_dump()
        return cls(notification=NoticeBrief.of_notice(notice), **about)


class DeliveryPage(Answer):
    """Those of the newest notifications first; ``next_cursor`` is the way to the next page."""

    items: list[DeliveryLine]
    next_cursor: str | None


class ChannelOut(Answer):
    """A channel and how it does. ``kind`` null: there is none of this name any more, but something waits for it.

    ``confirms``: what was sent without an error is known to have arrived. ``clusters`` (ids) and ``events`` empty: all.
    """

    name: str
    kind: str | None
    goes_to: str
    confirms: bool
    min_severity: Severity
    clusters: list[str]
    events: list[str]
    digest_after: int
    pending: int
    dead: int
    last_sent_at: datetime | None

    @classmethod
    def of(cls, one: ChannelAtWork) -> Self:
        """Settings and state together."""
        settings = one.settings
        return cls(
            name=one.name,
            kind=one.kind,
            goes_to=one.goes_to,
            confirms=one.confirms,
            min_severity=settings.min_severity if settings else Severity.INFO,
            clusters=list(settings.clusters) if settings else [],
            events=list(settings.events) if settings else [],
            digest_after=settings.digest_after if settings else 0,
            pending=one.state.pending,
            dead=one.state.dead,
            last_sent_at=one.state.last_sent_at,
        )


class ChannelFieldOut(Answer):
    """A field of a channel. ``secret``: it can be written, never read; left out, it stays."""

    name: str
    help: str
    required: bool
    secret: bool


class ChannelKindOut(Answer):
    """A kind of channel, with every field that it may have."""

    name: str
    help: str
    fields: list[ChannelFieldOut]

    @classmethod
    def of(cls, kind: ChannelKind) -> Self:
        """The common fields first."""
        every = {**COMMON, **kind.fields}
        return cls(
            name=kind.name,
            help=kind.help,
            fields=[
                ChannelFieldOut(name=name, help=one.help, required=one.required, secret=one.secret)
                for name, one in every.items()
            ],
        )


class ChannelIn(Body):
    """Which channel, by its name."""

    channel: Name


class ChannelTestOut(Answer):
    """What became of a test.

    ``taken``: the receiver's side took it, or it left where nothing confirms. ``confirmed``: it is known to have
    arrived. ``said``: the receiver's own words, or what hindered it.
    """

    notification_id: str
    channel: str
    kind: str
    taken: bool
    confirmed: bool
    said: str
    took_s: float

    @classmethod
    def of(cls, test: ChannelTest) -> Self:
        """In seconds."""
        return cls(
            notification_id=test.notification_id,
            channel=test.channel,
            kind=test.kind,
            taken=test.taken,
            confirmed=test.confirmed,
            said=test.said,
            took_s=round(test.took.total_seconds(), 3),
        )


class ResendIn(Body):
    """On which channel; null: on every one that gave it up."""

    channel: Annotated[Name | None, Field()] = None


class ResentOut(Answer):
    """How many deliveries are tried again."""

    channel: str
    resent: int
