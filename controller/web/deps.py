"""What the pages need, given once by the composition root, and how a page gets at it."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from controller.db.store import Clock, Store
from controller.domain.model import Role
from controller.notifications.registry import ChannelSource, no_channels
from controller.services.device_rules import DeviceRules
from controller.services.errors import Forbidden
from controller.services.explaining import Explainer
from controller.services.operations import Operations
from controller.services.sessions import SignedIn
from controller.services.sights import Sights


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """What the process's configuration says of the pages. ``frame_ancestors``: who may show them in a frame."""

    public_url: str = ""
    frame_ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDeps:
    """The ports. ``sights``: what the engine of this process was last told by each agent.

    ``channels``: what notifications leave through, for tests; ``link_base``: these pages' address in messages.
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
    options: WebOptions = field(default_factory=WebOptions)


def ports_of(request: Request) -> WebDeps:
    """The ports of the application that serves this request."""
    deps = request.app.state.web
    assert isinstance(deps, WebDeps)  # noqa: S101 - make_web puts it there
    return deps


class _May:
    """Dependency: who is signed in, when the role is one of these."""

    def __init__(self, *roles: Role) -> None:
        self._roles = frozenset(roles)

    def __call__(self, request: Request) -> SignedIn:
        signed_in = request.state.signed_in
        assert isinstance(signed_in, SignedIn)  # noqa: S101 - the door put it there
        if signed_in.role not in self._roles:
            needed = " or ".join(role.value for role in Role if role in self._roles)
            raise Forbidden(f"{signed_in.name} is a {signed_in.role}; this needs {needed}", code="role_needed")
        return signed_in


Ports = Annotated[WebDeps, Depends(ports_of)]
"""Write ``ports: Ports`` in a page's signature."""
Viewer = Annotated[SignedIn, Depends(_May(Role.VIEWER, Role.OPERATOR, Role.ADMIN))]
"""Whoever may read: everybody who is signed in."""
Operator = Annotated[SignedIn, Depends(_May(Role.OPERATOR, Role.ADMIN))]
"""Whoever may act on incidents, power and pauses."""
Admin = Annotated[SignedIn, Depends(_May(Role.ADMIN))]
"""Whoever may change inventory, settings, mode, tokens and users."""
