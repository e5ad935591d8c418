"""Signs of life: written to the database, kept outside of it too, and compared, so that a restored database is noticed.

Carries rules 5 and 9: every power command is preceded by a sign in its intent's own transaction, so that no database
that knows nothing of the command is taken for the newest.
"""

from dataclasses import replace
from datetime import datetime

from controller.db.store import Tx
from controller.domain.model import ControllerRow
from controller.domain.restored import Remembered, has_lost
from controller.services.world import World


async def is_lost(tx: Tx, world: World, *, starting: bool = False) -> bool:
    """True when this transaction sees a database without what is known to have been committed."""
    identity, rows = await tx.database_identity(), await tx.controllers()
    return has_lost(identity, rows, await world.keepsake.recall(), starting=starting)


async def write(tx: Tx, world: World, *, now: datetime) -> None:
    """This controller is alive now. Read no clock after it in the same transaction: the row of its base is locked."""
    mine = next((c for c in await tx.controllers() if c.id == world.controller_id), None)
    started_at = mine.started_at if mine is not None else now
    row = ControllerRow(id=world.controller_id, started_at=started_at, alive_at=now, version=world.version)
    await tx.save_controller(row)


async def remember(world: World, *, database_id: str = "", at: datetime) -> None:
    """Keep the sign that was committed; a process that never began on a database has none to keep."""
    known = await world.keepsake.recall()
    if database_id:
        known = Remembered(database_id=database_id, controller_id=world.controller_id, alive_at=at)
    if known is not None:
        await world.keepsake.keep(replace(known, controller_id=world.controller_id, alive_at=at))
