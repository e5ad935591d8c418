"""``hostfence-controller db backup`` and ``db restore``: everything but the encryption key, which is kept elsewhere."""

import argparse
from pathlib import Path

from controller.admin.bystanders import refuse_bystanders
from controller.admin.connect import Database, database
from controller.admin.errors import AdminError
from controller.admin.say import say
from controller.config import Config, encryption_keys, key_id
from controller.db import dump, migrate
from controller.db.secrecy import KeyMismatchError, Vault

HELD = (
    "at their start the controllers will find that the database was restored: everything open is held and all fencing "
    "paused until a person has looked (`hostfence pauses`; docs/operate.md)"
)


async def backup(given: argparse.Namespace, config: Config) -> None:
    """Dump the database into a new file; controllers may go on working."""
    async with database(config, beside_a_controller=True) as found:
        await write(found, Path(given.file), config=config, programs=given.programs)


async def write(found: Database, path: Path, *, config: Config, programs: str | None) -> None:
    """The file, and what must be said of it."""
    size = await dump.write(found.url, path, folder=_folder(programs))
    ids = ", ".join(key_id(key) for key in encryption_keys(config))
    say(f"{path}: {size:,} bytes, readable by you alone")
    say(f"it is worth nothing without the encryption key {ids}, which is not in it: keep that in another place")


async def restore(given: argparse.Namespace, config: Config) -> None:
    """Put a backup in the place of everything that is in the database."""
    path, keys = Path(given.file), encryption_keys(config)
    async with database(config) as found:
        async with dump.opened(found.url, path, folder=_folder(given.programs)) as (programs, contents):
            if not migrate.knows(contents.revision):
                raise AdminError(
                    f"{path} was made by a newer version (its tables are at {contents.revision}): install that version"
                )
            _open(contents, keys, path)
            await refuse_bystanders(found, even_so=given.even_so, at_risk="would write into what was restored")
            if await dump.holds_anything(found.url) and not given.replace:
                raise AdminError(
                    "there is something in this database already: add --replace to lose it, after a `db backup` of it"
                )
            await dump.put_back(found.url, programs, path)
        await migrate.upgrade(found.url)
    say(f"restored from {path}: {len(contents.sealed)} secrets, all of them readable, tables at this version")
    say(HELD)


def _open(contents: dump.Contents, keys: tuple[str, ...], path: Path) -> None:
    """Try every secret before anything is touched: a database without its key is one without power devices."""
    vault = Vault(keys)
    try:
        for sealed in contents.sealed:
            vault.open(sealed)
    except KeyMismatchError as error:
        ids = ", ".join(key_id(key) for key in keys)
        raise AdminError(
            f"the secrets in {path} are not open to the encryption key given ({ids}): give the key of the time it was "
            "made as well, as HOSTFENCE_ENCRYPTION_KEY or in the key's file, separated by a comma; nothing was changed"
        ) from error


def _folder(programs: str | None) -> Path | None:
    return Path(programs) if programs else None
