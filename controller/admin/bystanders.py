"""Controllers that are connected while tables are about to be changed under them."""

from controller.admin.connect import Database
from controller.admin.errors import AdminError
from controller.db import dump


async def refuse_bystanders(found: Database, *, even_so: bool, at_risk: str) -> None:
    """Refuse while controllers are connected. ``at_risk``: what would become of them."""
    if even_so:
        return
    connections = await dump.connected_controllers(found.url)
    if connections:
        raise AdminError(
            f"controllers are connected to this database ({connections} connections), and {at_risk}: stop every one "
            "first (nothing happens to hosts or machines meanwhile), or add --even-so if you know that none is"
        )
