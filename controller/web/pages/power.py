"""A person's own power commands and re-arming: each a page that says what it will do, asks, and shows the answer.

Carries rule 2 for the pages: against signs of life nothing is cut unless the person says so again, with the machines
that run there before their eyes. Nothing here releases anything.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from controller.domain.model import Host
from controller.domain.power import Accepted, PowerAction
from controller.services.errors import BadInput, NotFound, ServiceError
from controller.services.lookup import find_host
from controller.services.vms import list_vms
from controller.web.deps import Operator, Ports, WebDeps
from controller.web.flash import done
from controller.web.rendering import render

router = APIRouter(prefix="/hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a button does. ``typed``: the host's name must be typed."""

    action: PowerAction
    title: str
    button: str
    says: str
    typed: bool


class Sent(BaseModel):
    """The form. ``force``: cut the power although the host lives."""

    host_name: str = Field(default="", max_length=255)
    reason: str = Field(default="", max_length=2000)
    force: str = Field(default="", max_length=1)


DEEDS: dict[str, Deed] = {
    "off": Deed(
        action=PowerAction.OFF,
        title="Cut the power of",
        button="Cut the power",
        says="The power is cut at once, as if the plug were pulled. Whatever runs there dies. Nothing is started "
        "elsewhere by this alone: machines are released only after an incident's proof of off, or when a person "
        "acknowledges it.",
        typed=True,
    ),
    "on": Deed(
        action=PowerAction.ON,
        title="Give power to",
        button="Give power",
        says="The machine starts. If its virtual machines were started elsewhere, make sure that it does not start "
        "them again.",
        typed=True,
    ),
    "reboot": Deed(
        action=PowerAction.REBOOT,
        title="Reset",
        button="Reset the machine",
        says="The machine is reset at once. Whatever runs there dies and may start again with it.",
        typed=True,
    ),
    "blink": Deed(
        action=PowerAction.BLINK,
        title="Light the LED of",
        button="Light the LED",
        says="The LED that helps to find the machine is lit. Nothing else changes.",
        typed=False,
    ),
    "blink-off": Deed(
        action=PowerAction.BLINK_OFF,
        title="Put out the LED of",
        button="Put the LED out",
        says="The LED that helps to find the machine goes out.",
        typed=False,
    ),
}


@router.get("/{ref}/power/{deed}")
async def ask(request: Request, ports: Ports, who: Operator, ref: str, deed: str, device: int = 1) -> Response:
    """What it will do."""
    del who
    return await _ask(request, ports, await find_host(ports.store, ref), _deed(deed), device)


@router.post("/{ref}/power/{deed}")
async def act(
    request: Request,
    ports: Ports,
    who: Operator,
    ref: str,
    deed: str,
    form: Annotated[Sent, Form()],
    device: int = 1,
) -> Response:
    """Do it, once the host's name was typed where that is asked for."""
    host, what = await find_host(ports.store, ref), _deed(deed)
    try:
        if what.typed:
            _check_typed(host, form)
        attempt = await ports.operations.power(
            host.id, action=what.action, reason=form.reason, actor=who.name, force=bool(form.force), device=device
        )
    except ServiceError as error:
        return await _ask(request, ports, host, what, device, sent=form, error=error)
    said = f" It said: {attempt.said}" if attempt.said else ""
    if attempt.accepted is Accepted.YES:
        text = f"{what.button}: the device accepted it. That proves nothing; Test reads the state.{said}"
        return done(request, f"/hosts/{host.id}", text)
    text = f"{what.button}: the device answered {attempt.accepted or 'nothing'} ({attempt.code}).{said}"
    return done(request, f"/hosts/{host.id}", text, tone="bad")


@router.get("/{ref}/rearm")
async def ask_to_rearm(request: Request, ports: Ports, who: Operator, ref: str) -> Response:
    """What re-arming means."""
    del who
    return await _ask_to_rearm(request, ports, ref, Sent())


@router.post("/{ref}/rearm")
async def rearm(request: Request, ports: Ports, who: Operator, ref: str, form: Annotated[Sent, Form()]) -> Response:
    """Do it, once the host's name was typed."""
    host = await find_host(ports.store, ref)
    try:
        _check_typed(host, form)
        await ports.operations.rearm(host.id, reason=form.reason, actor=who.name)
    except ServiceError as error:
        return await _ask_to_rearm(request, ports, ref, form, error=error)
    return done(request, f"/hosts/{host.id}", f"{host.name} is re-armed.")


def _check_typed(host: Host, sent: Sent) -> None:
    if sent.host_name.strip() != host.name:
        raise BadInput(
            f"that is not this host's name; type {host.name} to confirm", code="host_name_differs", field="host_name"
        )


def _deed(name: str) -> Deed:
    if name not in DEEDS:
        raise NotFound(f"there is no power action {name!r}", code="unknown_action")
    return DEEDS[name]


async def _ask(
    request: Request,
    ports: WebDeps,
    host: Host,
    deed: Deed,
    device: int,
    *,
    sent: Sent | None = None,
    error: ServiceError | None = None,
) -> Response:
    sent = sent or Sent()
    return render(
        request,
        "power.html",
        status=error.status if error is not None else 200,
        section="overview",
        host=host,
        deed=deed,
        name=next(key for key, one in DEEDS.items() if one is deed),
        device=device,
        vms=await list_vms(ports.store, host.id) if deed.action.destructive else [],
        typed=sent.host_name,
        reason=sent.reason,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
        against=error.reasons if error is not None else (),
    )


async def _ask_to_rearm(
    request: Request, ports: WebDeps, ref: str, sent: Sent, *, error: ServiceError | None = None
) -> Response:
    return render(
        request,
        "rearm.html",
        status=error.status if error is not None else 200,
        section="overview",
        host=await find_host(ports.store, ref),
        sent=sent,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
    )
