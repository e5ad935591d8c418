"""The pages on a real PostgreSQL and a real port, without the engine: what they show is what a test has put there.

`await site.add_cluster(...)` and the like write rows; `site.sights` is what this process's watch would have been told.
Times are real ones (`await site.now()`), as the browser counts with them.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import uvicorn
from cryptography.fernet import Fernet
from fastapi import FastAPI

from controller.app import Deps, WebOptions, create_app
from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.models import Base
from controller.db.unit_of_work import PostgresStore
from controller.domain.incident import Incident
from controller.domain.inheritance import channels_of
from controller.domain.model import Cluster, Host, Level, Role, SettingRow
from controller.domain.watch import Seen
from controller.notifications.channels.email import Email
from controller.notifications.registry import ChannelRegistry, Outlet
from controller.services.access import create_token
from controller.services.device_rules import DeviceRules
from controller.services.sights import Sight, Sights
from controller.services.users import create_user
from shared.enums import Reach
from tests.fakes.operations import RefusingOperations
from tests.fixtures import builders as a
from tests.fixtures.explainers import an_explainer

PASSWORD = "five unrelated words of it"
"""Of every user that a site has."""


@dataclass(slots=True)
class Site:
    """Where the pages are, and what stands behind them."""

    url: str
    store: PostgresStore
    clock: SqlClock
    sights: Sights
    operations: RefusingOperations
    pages: FastAPI
    tokens: dict[Role, str] = field(default_factory=dict, repr=False)

    async def empty(self) -> None:
        """As it was at first, the clock's base apart."""
        kept = {"alembic_version", "time_base", "api_tokens", "users"}
        names = [table.name for table in Base.metadata.sorted_tables if table.name not in kept]
        async with self.store._engine.begin() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {', '.join(names)} CASCADE")
        self.sights.known = {}
        self.operations.devices.clear()
        self.sights.polled = False
        self.pages.state.foresight.forget()

    async def now(self) -> datetime:
        return await self.clock.now()

    async def add_cluster(self, cluster_id: str, **changes: Any) -> Cluster:
        made = a.cluster(cluster_id, **changes)
        async with self.store.transaction() as tx:
            await tx.save_cluster(made)
        return made

    async def add_host(self, host_id: str, *, answers: bool = True, **changes: Any) -> Host:
        """With `answers` its agent has just done so, and is healthy for three hours."""
        made = a.host(host_id, **changes)
        now = await self.now()
        async with self.store.transaction() as tx:
            await tx.save_host(made)
            await tx.save_health(
                a.health(host_id, seen_at=now, healthy_since=now - timedelta(hours=3, minutes=12), boot_id="b1")
            )
        if answers:
            self.answers(host_id, at=now)
        return made

    def answers(self, host_id: str, *, at: datetime) -> None:
        """The host's agent answers, and goes on doing so for as long as a test may take."""
        seen = Seen(host_id=host_id, reach=Reach.AGENT_ANSWERED, boot_id="b1")
        self.sights.known[host_id] = Sight(at=at + timedelta(hours=1), seen=seen)
        self.sights.polled = True

    async def add_incident(self, incident_id: str, **changes: Any) -> Incident:
        """Open unless told otherwise, begun just now."""
        now = await self.now()
        times = {"opened_at": now, "disconnect_at": now, "entered_at": now, "next_step_at": now}
        made = a.incident(incident_id, **{**times, **changes})
        async with self.store.transaction() as tx:
            assert await tx.open_incident(made)
            await tx.add_event(a.event(f"opened-{incident_id}", incident_id=made.id, at=now, kind="opened"))
        return made

    async def change_incident(self, incident: Incident, **changes: Any) -> Incident:
        changed = replace(incident, **changes)
        async with self.store.transaction() as tx:
            await tx.save_incident(changed, end_lease=True)
        return changed

    async def settings(self, level: Level = Level.GLOBAL, owner_id: str = "", **values: Any) -> None:
        async with self.store.transaction() as tx:
            for name, value in values.items():
                row = SettingRow(level=level, owner_id=owner_id, field=name.replace("__", "."), value=value)
                await tx.put_setting(row, secret=False)


@asynccontextmanager
async def a_site(database_url: str, options: WebOptions | None = None) -> AsyncIterator[Site]:
    """Served while the block lasts, with a token and a user (`the operator`, `operator`) for each role."""
    engine, clock_engine = make_engine(database_url), make_engine(database_url, pool_size=1)
    store, clock = PostgresStore(engine, keys=[Fernet.generate_key().decode()]), SqlClock(clock_engine)
    sights, operations = Sights(), RefusingOperations()
    registry = ChannelRegistry({"email": Email})

    async def channels() -> Mapping[str, Outlet]:
        async with store.transaction() as tx:
            return registry.current(channels_of(await tx.setting_rows(owners=("",))))

    app = create_app(
        Deps(
            store=store,
            clock=clock,
            operations=operations,
            device_rules=DeviceRules(drivers=frozenset({"ipmi"})),
            explainer=an_explainer(store, clock, sights),
            version="1.2.3",
            sights=sights,
            channels=channels,
            link_base="https://hostfence.example.org",
        ),
        options,
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listening]))
        port = listening.getsockname()[1]
        site = Site(f"http://127.0.0.1:{port}", store, clock, sights, operations, app.state.pages)
        site.tokens = {
            role: (await create_token(store, clock, name=f"the {role}", role=role, actor="test"))[1] for role in Role
        }
        for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN):
            await create_user(store, clock, name=role.value, role=role, password=PASSWORD, actor="test")
        try:
            yield site
        finally:
            app.state.pages.state.live.close()
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving
            await engine.dispose()
            await clock_engine.dispose()
