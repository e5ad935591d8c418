"""What the routes need, given once by the composition root, and how a route gets at it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from controller.db.store import Clock, Store
from controller.metrics.base import Meter, NoMeter
from controller.notifications.registry import ChannelSource, no_channels
from controller.services.deployment import Inspector
from controller.services.device_rules import DeviceRules
from controller.services.explaining import Explainer
from controller.services.monitoring import Monitoring
from controller.services.operations import Operations
from controller.services.sights import Sights


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The ports and the few facts of configuration that the API shows or checks with.

    ``sights``: what the engine of this process was last told by each agent.
    ``channels``: what notifications leave through, for tests; ``link_base``: the web pages' address in messages.
    ``inspector`` None: the process does not know its deployment.
    ``monitoring`` None: nobody keeps figures, and the process is never ready.
    ``metrics_without_token``: whoever reaches the port may read the figures.
    ``lifespan``: what starts and stops with the application (engine, notifier, database).
    """

    store: Store
    clock: Clock
    operations: Operations
    device_rules: DeviceRules
    explainer: Explainer
    version: str
    sights: Sights = field(default_factory=Sights)
    channels: ChannelSource = no_channels
    link_base: str = ""
    inspector: Inspector | None = None
    meter: Meter = field(default_factory=NoMeter)
    monitoring: Monitoring | None = None
    metrics_without_token: bool = False
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None


def _deps_of(request: Request) -> Deps:
    deps = request.app.state.deps
    assert isinstance(deps, Deps)  # noqa: S101 - create_app puts it there
    return deps


Ports = Annotated[Deps, Depends(_deps_of)]
"""Write ``ports: Ports`` in a route's signature."""
