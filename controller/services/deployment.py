"""What a controller can say of the deployment that it is a part of: its database, key, fellows and agents.

Readiness says whether hosts could be fenced; this is what stands behind that and what no host shows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.model import ControllerRow
from controller.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """``schema`` and ``newest``: where the tables stand, and where this version wants them.

    ``ahead_s``: how far the server's clock is ahead of this machine's.
    """

    server_version: str
    embedded: bool
    schema: str
    newest: str
    ahead_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """Where the encryption key comes from, and what it opens. ``mode`` None: it is in no file.

    ``ids``: letters to tell the keys by, the one that writes first. ``older``: secrets that need another one; ``lost``:
    those that none opens.
    """

    ids: tuple[str, ...]
    source: str
    path: str
    mode: int | None
    secrets: int
    older: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """What an agent last told this controller of itself."""

    host_id: str
    version: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """Of this process's environment. ``lab``: variables that are for laboratories only; ``missing``: programs."""

    version: str
    memory_path: str
    remembers: bool
    lab: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """All of it, at one moment."""

    at: datetime
    controller_id: str
    process: ProcessFacts
    database: DatabaseFacts
    key: KeyFacts
    controllers: tuple[ControllerRow, ...]
    agents: tuple[AgentFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """Looks when asked; the composition root brings what only it can see."""

    world: World
    database: Callable[[], Awaitable[DatabaseFacts]]
    key: Callable[[], Awaitable[KeyFacts]]
    process: Callable[[], ProcessFacts]

    async def look(self) -> Deployment:
        """Raises :class:`~controller.db.store.StoreUnavailable` where the database does not answer."""
        world = self.world
        database, key = await self.database(), await self.key()
        async with world.store.transaction() as tx:
            controllers = tuple(await tx.controllers())
        known = world.sights.known
        agents = (AgentFacts(host_id=h, version=one.seen.agent_version, seen_at=one.at) for h, one in known.items())
        return Deployment(
            at=await world.clock.now(),
            controller_id=world.controller_id,
            process=self.process(),
            database=database,
            key=key,
            controllers=controllers,
            agents=tuple(sorted(agents, key=lambda one: one.host_id)),
        )
