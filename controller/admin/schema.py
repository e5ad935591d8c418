"""``hostfence-controller db upgrade`` and ``db check``: from one version's tables to the next, forward only."""

import argparse
from pathlib import Path

from controller.admin import backup
from controller.admin.bystanders import refuse_bystanders
from controller.admin.connect import database
from controller.admin.errors import AdminError
from controller.admin.say import say
from controller.config import Config
from controller.db import migrate

OURS = "the database has this version's schema"


async def upgrade(given: argparse.Namespace, config: Config) -> None:
    """Bring the database to this version's tables, after a backup where one is asked for."""
    async with database(config) as found:
        plan = await migrate.plan(found.url)
        if not plan.missing:
            await _see(found.url)
            say(OURS)
            return
        say(f"from {plan.at or 'an empty database'} to {plan.newest}: {len(plan.missing)} to apply")
        if given.plan:
            for revision in plan.missing:
                say(f"  {revision}")
            return
        await refuse_bystanders(found, even_so=given.even_so, at_risk="could not write to the new tables")
        if given.backup is not None and plan.at:
            await backup.write(found, Path(given.backup), config=config, programs=given.programs)
        await migrate.upgrade(found.url)
        await _see(found.url)
    say(OURS)


async def check(_given: argparse.Namespace, config: Config) -> None:
    """Say whether the database has this version's tables."""
    async with database(config, beside_a_controller=True) as found:
        await _see(found.url)
    say(OURS)


async def _see(url: str) -> None:
    if differences := await migrate.check(url):
        raise AdminError(f"the database differs from this version's schema: {differences}")
