"""Puts a notice into the outbox, in the transaction of the change it tells of."""

from controller.db.store import Tx
from controller.domain.channels.routes import channels_wanting
from controller.domain.inheritance import channels_of
from controller.domain.model import Notice


async def tell(tx: Tx, notice: Notice) -> bool:
    """Store the notice with one delivery for each channel that wants it; False when it was told before."""
    wanted = channels_wanting(notice, channels_of(await tx.setting_rows(owners=("",))))
    return await tx.add_notice(notice, channels=wanted)
