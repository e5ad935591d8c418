"""``hostfence-controller key``: a new encryption key, which of them opens what, and sealing everything with the newest.

Carries rule 7, and rule 9's spirit: a crash at any instant leaves keys that open everything.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from controller.admin.connect import database
from controller.admin.errors import AdminError
from controller.admin.say import say
from controller.config import Config, encryption_keys, keep_former_key, key_id, new_key, write_keys
from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.repositories.sealed import Seals
from controller.db.unit_of_work import PostgresStore
from controller.services.changes import record

ACTOR = "command line"


async def new(_given: argparse.Namespace, _config: Config | None) -> None:
    """Print a key."""
    say(new_key())


async def check(_given: argparse.Namespace, config: Config) -> None:
    """Say which keys open what is stored."""
    keys = encryption_keys(config)
    async with (
        database(config, beside_a_controller=True) as found,
        _store(found.url, keys) as (store, _),
        store.transaction() as tx,
    ):
        seals = await tx.seals()
    _tell(keys, seals)
    if seals.lost:
        raise AdminError(f"{seals.lost} of {seals.total} secrets are open to none of these keys: give theirs as well")
    if seals.older:
        raise AdminError(
            f"{seals.older} of {seals.total} secrets still need an older key: hostfence-controller key rotate"
        )


async def rotate(_given: argparse.Namespace, config: Config) -> None:
    """Seal everything with the first key; where hostfence keeps the key itself, with a new one."""
    own = config.encryption_key is None
    async with database(config) as found:
        keys = encryption_keys(config)
        if own and len(keys) == 1:
            # Both stand in the file until nothing needs the older one any more.
            keys = (new_key(), *keys)
            write_keys(config, keys)
        if len(keys) == 1:
            raise AdminError("HOSTFENCE_ENCRYPTION_KEY holds one key: write the new one before it, and a comma")
        async with _store(found.url, keys) as (store, clock):
            now = await clock.now()
            async with store.transaction() as tx:
                await tx.guard()
                done = await tx.reseal()
                seals = await tx.seals()
                await record(
                    tx,
                    at=now,
                    actor=ACTOR,
                    action="key.rotate",
                    target="encryption key",
                    key=key_id(keys[0]),
                    secrets=done,
                )
    say(f"{done} secrets sealed anew")
    _tell(keys[:1], seals)
    if own:
        kept = [str(keep_former_key(config, key)) for key in keys[1:]]
        write_keys(config, keys[:1])
        say(f"older backups need the former key: {', '.join(kept)}; remove it together with them")
    else:
        say(f"now leave nothing but the key {key_id(keys[0])} in HOSTFENCE_ENCRYPTION_KEY of every controller")


@asynccontextmanager
async def _store(url: str, keys: Sequence[str]) -> AsyncIterator[tuple[PostgresStore, SqlClock]]:
    engine, clock_engine = make_engine(url), make_engine(url, pool_size=1)
    try:
        yield PostgresStore(engine, keys=keys), SqlClock(clock_engine)
    finally:
        await engine.dispose()
        await clock_engine.dispose()


def _tell(keys: Sequence[str], seals: Seals) -> None:
    say(f"{seals.total} secrets, {seals.current} of them sealed with the key {key_id(keys[0])}")
