"""What an administrator wants to know of the server behind a URL: its version, its tables, its clock."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.clock import wall
from controller.db.errors import store_errors


async def version_and_lead(engine: AsyncEngine) -> tuple[str, float]:
    """The server's version, and the seconds that its clock is ahead of this machine's."""
    with store_errors():
        async with engine.connect() as connection:
            before = datetime.now(UTC)  # noqa: TID251 - this machine's clock is what is asked about
            row = (await connection.execute(select(func.current_setting("server_version"), wall()))).one()
            after = datetime.now(UTC)  # noqa: TID251
    return str(row[0]), (row[1] - (before + (after - before) / 2)).total_seconds()
