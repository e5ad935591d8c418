"""Puts a notice into the outbox, in the transaction of the change it tells of."""

from controller.db.store import Tx
from controller.domain.inheritance import channels_of
from controller.domain.model import Notice
from controller.notifications.registry import channels_wanting


async def tell(tx: Tx, notice: Notice) -> bool:
    """Store the notice with one delivery for each channel that wants it; False when it was told before."""
    wanted = channels_wanting(notice.severity, channels_of(await tx.setting_rows(owners=("",))))
    return await tx.add_notice(notice, channels=wanted)
