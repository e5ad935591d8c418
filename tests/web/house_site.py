"""The pages on a controller in memory: the real engine's decisions on fake agents and power devices, on virtual time.

For what a person does in an incident: the services behind the buttons are the real ones.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn

from controller.app import Deps, create_app
from controller.domain.model import Role
from controller.services.access import create_token
from controller.services.device_rules import DeviceRules
from controller.services.sights import Sights
from tests.fixtures.explainers import an_explainer
from tests.fixtures.house import House

NAMES = {Role.VIEWER: "vera", Role.OPERATOR: "olaf", Role.ADMIN: "ada"}


@asynccontextmanager
async def served(house: House) -> AsyncIterator[tuple[str, dict[Role, str]]]:
    """Its address and a token of each role while the block lasts."""
    sights = Sights()
    app = create_app(
        Deps(
            store=house.store,
            clock=house.clock,
            operations=house.operator,
            device_rules=DeviceRules(drivers=frozenset({"ipmi"})),
            explainer=an_explainer(house.store, house.clock, sights),
            version="1.2.3",
            sights=sights,
        )
    )
    tokens = {
        role: (await create_token(house.store, house.clock, name=name, role=role, actor="test"))[1]
        for role, name in NAMES.items()
    }
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", tokens
        finally:
            app.state.pages.state.live.close()
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving
