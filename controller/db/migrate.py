"""Brings a database to this version's tables, and says where it differs from them."""

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.engine import make_engine
from controller.db.errors import store_errors
from controller.db.models import Base
from controller.db.store import StoreError, StoreUnavailable
from controller.domain.vitals import DatabaseState

MIGRATION_LOCK = 0x686F7374_6D696772
"""Any number ("hostmigr"): controllers that start together migrate one after the other."""

_WAIT_S = 300
_HERE = text(
    "SELECT to_regclass('alembic_version') IS NOT NULL AS has_tables,"
    " current_setting('transaction_read_only') = 'on' AS takes_no_writes"
)
_APPLIED = text("SELECT version_num FROM alembic_version")


class SchemaError(StoreError):
    """The database's tables are not those this version works with."""


async def upgrade(url: str) -> None:
    """Apply every migration that is missing. Safe to call from several controllers at once.

    Raises:
        StoreUnavailable: the database cannot be reached or refuses (a lock time-out, missing rights).
        SchemaError: the database was migrated by a newer version.
    """
    await _in_transaction(url, _upgrade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an upgrade would do. ``at``: where the database stands ("": it is empty); ``missing``: oldest first."""

    at: str
    newest: str
    missing: tuple[str, ...]


async def plan(url: str) -> Plan:
    """What an upgrade would apply; raises like :func:`upgrade`, and changes nothing."""
    found: list[Plan] = []
    await _in_transaction(url, lambda connection: found.append(_plan(connection)))
    return found[0]


def knows(revision: str) -> bool:
    """Whether this version can go on from a database at this revision."""
    return revision in _known(_config())


async def check(url: str) -> list[str]:
    """Where the database differs from the tables in the code, one readable line each; empty when it does not."""
    found: list[str] = []
    await _in_transaction(url, lambda connection: found.extend(_differences(connection)))
    return found


async def look(engine: AsyncEngine) -> DatabaseState:
    """Whether the database answers, takes writes, and has this version's tables: cheap, for asking again and again."""
    try:
        with store_errors():
            async with engine.connect() as connection:
                found = (await connection.execute(_HERE)).one()
                applied = set((await connection.execute(_APPLIED)).scalars()) if found.has_tables else set()
    except StoreUnavailable:
        return DatabaseState.AWAY
    if found.takes_no_writes:
        return DatabaseState.READ_ONLY
    return DatabaseState.FITS if applied == _heads() else DatabaseState.OTHER_SCHEMA


@cache
def _heads() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())


async def _in_transaction(url: str, work: Any) -> None:
    # A migration may take longer than a statement of the running service is allowed to.
    engine = make_engine(url, pooled=False, json_as_text=False, statement_timeout_s=_WAIT_S, lock_timeout_s=_WAIT_S)
    try:
        with store_errors():
            async with engine.connect() as connection, connection.begin():
                await connection.run_sync(work)
    finally:
        await asyncio.shield(engine.dispose())


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    config = _config()
    _heads_of(connection, config)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _plan(connection: Connection) -> Plan:
    config = _config()
    at = _heads_of(connection, config)
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head() or ""
    missing = () if at == (newest,) else scripts.iterate_revisions("head", at or "base")
    return Plan(at=", ".join(at), newest=newest, missing=tuple(reversed([script.revision for script in missing])))


def _heads_of(connection: Connection, config: Config) -> tuple[str, ...]:
    """Where the database stands; refuses one of a newer version: there is no way back but a backup."""
    heads = MigrationContext.configure(connection).get_current_heads()
    for revision in heads:
        if revision not in _known(config):
            raise SchemaError(f"the database was migrated by a newer version ({revision}): upgrade this controller")
    return heads


def _known(config: Config) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    missing = [f"migration {head} is not applied" for head in sorted(_heads() - set(context.get_current_heads()))]
    return missing + [repr(difference) for difference in compare_metadata(context, Base.metadata)]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _folder() -> Path:
    """Beside this module in an installed wheel, at the top of a checkout."""
    installed = Path(__file__).with_name("migrations")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "migrations"
