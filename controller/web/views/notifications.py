"""What people were told and where that stands, and the channels: each state with a tone, a picture and a word."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.domain.headlines import headline
from controller.domain.model import Delivery, DeliveryStatus, Notice, Severity
from controller.services.channels import ChannelAtWork, ChannelTest
from controller.web.views.look import SEVERITIES, Look

WAITING = Look("info", "clock", "waiting")
FAILING = Look("warn", "alert", "failed, tried again")
DELIVERIES: dict[DeliveryStatus, Look] = {
    DeliveryStatus.PENDING: WAITING,
    DeliveryStatus.SENT: Look("ok", "check", "sent"),
    DeliveryStatus.DEAD: Look("bad", "cross", "given up"),
    DeliveryStatus.IN_DIGEST: Look("quiet", "list", "told in a digest"),
    DeliveryStatus.TEST_FAILED: Look("bad", "cross", "test failed"),
}
ARRIVED = Look("ok", "check", "arrived")
LEFT = Look("warn", "question", "left; nothing confirms that it arrived")
FAILED = Look("bad", "alert", "does not work")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLine:
    """One message to one channel. ``next_at``: when it is tried (again). ``said``: the receiver's own words."""

    channel: str
    look: Look
    tries: int
    next_at: datetime | None
    sent_at: datetime | None
    digest_id: str | None
    said: str
    dead: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLine:
    """One notification, and where it stands on each channel."""

    id: str
    at: datetime
    severity: Look
    host_name: str
    headline: str
    what: str
    incident_id: str | None
    deliveries: tuple[DeliveryLine, ...]

    @property
    def resendable(self) -> bool:
        """Something of it was given up."""
        return any(one.dead for one in self.deliveries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """One channel. ``carries``: what it is limited to, in words. ``gone``: it is in the settings no more."""

    name: str
    kind: str
    goes_to: str
    carries: str
    confirms: bool
    gone: bool
    pending: int
    dead: int
    last_sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswer:
    """What became of a channel's test."""

    look: Look
    said: str
    took_s: float
    notification_id: str


def told_line(notice: Notice, deliveries: Iterable[Delivery]) -> ToldLine:
    """One row of the list."""
    return ToldLine(
        id=notice.id,
        at=notice.at,
        severity=SEVERITIES[notice.severity],
        host_name=notice.host_name,
        headline=headline(notice),
        what=notice.what,
        incident_id=notice.incident_id,
        deliveries=tuple(_delivery_line(one) for one in deliveries),
    )


def channel_lines(found: Iterable[ChannelAtWork], clusters: dict[str, str]) -> tuple[ChannelLine, ...]:
    """The table of channels. ``clusters``: names by id."""
    return tuple(
        ChannelLine(
            name=one.name,
            kind=one.kind or "",
            goes_to=one.goes_to,
            carries=_carries(one, clusters),
            confirms=one.confirms,
            gone=one.settings is None,
            pending=one.state.pending,
            dead=one.state.dead,
            last_sent_at=one.state.last_sent_at,
        )
        for one in found
    )


def channel_answer(test: ChannelTest) -> ChannelAnswer:
    """In words: arrived, only left, or failed."""
    taken = ARRIVED if test.confirmed else LEFT
    return ChannelAnswer(
        look=taken if test.taken else FAILED,
        said=test.said,
        took_s=round(test.took.total_seconds(), 1),
        notification_id=test.notification_id,
    )


def _delivery_line(one: Delivery) -> DeliveryLine:
    pending = one.status is DeliveryStatus.PENDING
    return DeliveryLine(
        channel=one.channel,
        look=FAILING if pending and one.last_error else DELIVERIES[one.status],
        tries=one.tries,
        next_at=one.next_try_at if pending else None,
        sent_at=one.sent_at,
        digest_id=one.digest_id,
        said=one.last_error,
        dead=one.status is DeliveryStatus.DEAD,
    )


def _carries(one: ChannelAtWork, clusters: dict[str, str]) -> str:
    if one.settings is None:
        return "nothing new"
    limits: Sequence[str] = (
        "" if one.settings.min_severity is Severity.INFO else f"{one.settings.min_severity} and worse",
        _only("events", one.settings.events),
        _only("clusters", [clusters.get(cluster, cluster) for cluster in one.settings.clusters]),
    )
    return "; ".join(limit for limit in limits if limit) or "everything"


def _only(what: str, names: Sequence[str]) -> str:
    return f"only {what} {', '.join(names)}" if names else ""
