"""A person has dead deliveries tried again. Never what was taken: nothing is told twice."""

from collections.abc import Sequence
from dataclasses import replace

from controller.db.store import Clock, Store, Tx
from controller.domain.inheritance import channels_of
from controller.domain.model import Delivery, DeliveryStatus
from controller.services.changes import record
from controller.services.errors import NotFound, Refused

_WHY_NOT = {
    DeliveryStatus.PENDING: "is still being tried",
    DeliveryStatus.SENT: "was taken",
    DeliveryStatus.IN_DIGEST: "is told in a digest",
    DeliveryStatus.TEST_FAILED: "was a test: test the channel again",
}


async def resend(store: Store, clock: Clock, notice_id: str, *, channel: str | None, actor: str) -> list[Delivery]:
    """Try the dead deliveries of one notification again, those of ``channel`` or all; answers them as they are now.

    Raises:
        NotFound: no such notification, or it was not to go to that channel.
        Refused: nothing of it is dead, or its channel is gone.
    """
    now = await clock.now()
    async with store.transaction() as tx:
        found = await tx.notice(notice_id)
        if found is None:
            raise NotFound(f"there is no notification {notice_id!r}", code="unknown_notification")
        chosen = [one for one in found[1] if channel in (None, one.channel)]
        if channel is not None and not chosen:
            raise NotFound(f"this notification was not to go to channel {channel!r}", code="unknown_delivery")
        dead = [one for one in chosen if one.status is DeliveryStatus.DEAD]
        if not dead:
            raise Refused(_why_not(chosen), code="not_dead")
        await _refuse_gone(tx, [one.channel for one in dead])
        again = [
            replace(one, status=DeliveryStatus.PENDING, tries=0, next_try_at=now, resent_at=now, doubtful=False)
            for one in dead
        ]
        for one in again:
            await tx.save_delivery(one)
        names = [one.channel for one in again]
        await record(tx, at=now, actor=actor, action="notification.resend", target=notice_id, channels=names)
    return again


async def resend_channel(store: Store, clock: Clock, channel: str, *, actor: str) -> int:
    """Try every dead delivery of a channel again; how many there were. Many at once are told in a digest."""
    now = await clock.now()
    async with store.transaction() as tx:
        await _refuse_gone(tx, [channel])
        count = await tx.resend_dead(channel=channel, at=now)
        if count:
            await record(tx, at=now, actor=actor, action="channel.resend", target=channel, count=count)
    return count


def _why_not(chosen: Sequence[Delivery]) -> str:
    if not chosen:
        return "no channel wanted this notification, so there is nothing to send again"
    stands = "; ".join(f"on {one.channel} it {_WHY_NOT.get(one.status, one.status)}" for one in chosen)
    return f"only what was given up can be sent again: {stands}"


async def _refuse_gone(tx: Tx, names: Sequence[str]) -> None:
    known = {one.name for one in channels_of(await tx.setting_rows(owners=("",)))}
    if gone := [name for name in names if name not in known]:
        raise Refused(
            f"there is no channel {', '.join(gone)} any more: write one of that name into the setting channels first",
            code="unknown_channel",
        )
