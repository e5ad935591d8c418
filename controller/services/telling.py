"""Puts a notice into the outbox, in the transaction of the change it tells of."""

from controller.db.store import Tx
from controller.domain.model import Level, Notice, SettingRow

CHANNELS = "channels"


async def tell(tx: Tx, notice: Notice) -> bool:
    """Store the notice with one delivery a configured channel; False when it was told before."""
    return await tx.add_notice(notice, channels=channel_names(await tx.setting_rows()))


def channel_names(rows: list[SettingRow]) -> tuple[str, ...]:
    """The names of the configured channels."""
    for row in rows:
        if row.level is Level.GLOBAL and row.field == CHANNELS:
            return tuple(str(channel["name"]) for channel in row.value or ())
    return ()
