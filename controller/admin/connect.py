"""The database an administrator's command works on: the given server's, or the embedded one's."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from controller.config import Config
from controller.db.embedded import EmbeddedPostgres
from controller.db.embedded_files import running_url


@dataclass(frozen=True, slots=True)
class Database:
    """``url`` holds a password. ``embedded``: it is hostfence's own server."""

    url: str = field(repr=False)
    embedded: bool


@contextlib.asynccontextmanager
async def database(config: Config, *, beside_a_controller: bool = False) -> AsyncIterator[Database]:
    """The given server's, or an embedded one that lives as long as the block.

    ``beside_a_controller``: where a controller runs on the embedded one already, that one is used; else it is an error.
    """
    if config.database_url is not None:
        yield Database(config.database_url.get_secret_value(), embedded=False)
        return
    if beside_a_controller and (url := running_url(config.data_dir)) is not None:
        yield Database(url, embedded=True)
        return
    server = EmbeddedPostgres(config.data_dir)
    url = await server.start()
    try:
        yield Database(url, embedded=True)
    finally:
        await server.stop()
