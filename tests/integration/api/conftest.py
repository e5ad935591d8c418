from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from typing_extensions import override

from controller.app import Deps, create_app
from controller.db.store import Store, StoreUnavailable
from controller.domain.inheritance import channels_of
from controller.domain.model import Role
from controller.metrics.prometheus import PrometheusMeter
from controller.notifications.registry import Outlet
from controller.services.access import create_token
from controller.services.device_rules import DeviceRules
from controller.services.explaining import Explainer
from controller.services.pulse import Pulse
from controller.services.sights import Sights
from tests.fakes.channel import FakeChannel
from tests.fakes.clock import FakeClock
from tests.fakes.operations import RefusingOperations
from tests.fixtures.explainers import a_monitoring, a_quiet_world
from tests.simulation.memory_store import MemoryStore


class BreakableClock(FakeClock):
    """Virtual time that a test can take away."""

    broken = False

    @override
    async def now(self) -> datetime:
        if self.broken:
            raise StoreUnavailable("the test took the database away")
        return await super().now()


@dataclass
class Api:
    """A running application, a client for each role, and what stands behind it."""

    store: Store
    clock: BreakableClock
    operations: RefusingOperations
    nobody: httpx.AsyncClient
    tokens: dict[Role, str]
    sights: Sights
    far_sides: dict[str, FakeChannel]
    """What the channels of the settings lead to, by name: each takes what it is given until a test says otherwise."""
    app: FastAPI
    pulse: Pulse
    """Of the engine that is not there: a test lets it beat."""

    def as_role(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    async def call(self, method: str, path: str, *, role: Role = Role.ADMIN, json: object = None) -> httpx.Response:
        content = b"" if json is None else dumps(json).encode()  # unlike httpx, this also writes infinity
        headers = {**self.as_role(role), "content-type": "application/json"}
        return await self.nobody.request(method, f"/api/v1{path}", headers=headers, content=content)

    async def ok(self, method: str, path: str, *, role: Role = Role.ADMIN, json: object = None) -> Any:
        """The answer's body; anything but success fails the test."""
        answer = await self.call(method, path, role=role, json=json)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def store() -> Store:
    """Overridden where the same stories are told on PostgreSQL."""
    return MemoryStore()


@pytest.fixture
def device_rules() -> DeviceRules:
    """Overridden where it matters what this controller has."""
    return DeviceRules(drivers=frozenset({"ipmi"}))


@pytest.fixture
async def api(store: Store, device_rules: DeviceRules) -> AsyncIterator[Api]:
    clock, operations = BreakableClock(), RefusingOperations()
    sights, meter = Sights(), PrometheusMeter()
    world = a_quiet_world(store, clock, sights, meter)
    far_sides: dict[str, FakeChannel] = {}

    async def channels() -> Mapping[str, Outlet]:
        async with store.transaction() as tx:
            found = channels_of(await tx.setting_rows(owners=("",)))
        return {one.name: Outlet(settings=one, channel=far_sides.setdefault(one.name, FakeChannel())) for one in found}

    app = create_app(
        Deps(
            store=store,
            clock=clock,
            operations=operations,
            device_rules=device_rules,
            explainer=Explainer(world),
            version="1.2.3",
            sights=sights,
            meter=meter,
            monitoring=a_monitoring(world, meter),
            channels=channels,
            link_base="https://hostfence.test",
        )
    )
    tokens = {role: (await create_token(store, clock, name=f"the {role}", role=role, actor="test"))[1] for role in Role}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hostfence.test") as client:
        yield Api(
            store=store,
            clock=clock,
            operations=operations,
            nobody=client,
            tokens=tokens,
            sights=sights,
            far_sides=far_sides,
            app=app,
            pulse=world.pulse,
        )


@pytest.fixture
async def site(api: Api) -> Api:
    """The cluster "kvm" with hosts a and b and the pool "primary"."""
    await api.ok("POST", "/clusters", json={"name": "kvm"})
    await api.ok("POST", "/pools", json={"name": "primary", "kind": "file", "root": "/mnt/primary", "cluster": "kvm"})
    for name in ("a", "b"):
        await api.ok("POST", "/hosts", json={"cluster": "kvm", "name": name, "address": f"{name}.example"})
    return api
