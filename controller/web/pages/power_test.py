"""Test: tries a host's power device as the saved settings have it, and shows what the device really said."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.domain.power import Accepted, PowerAction
from controller.services.errors import ServiceError
from controller.services.lookup import find_host
from controller.web.deps import Operator, Ports, WebDeps
from controller.web.rendering import render
from controller.web.views.device_answer import DeviceAnswer, answered, not_asked

router = APIRouter(prefix="/hosts")


@router.get("/{ref}/test")
async def ask(request: Request, ports: Ports, who: Operator, ref: str, device: int = 1) -> Response:
    """What Test does, and the button."""
    del who
    return await _page(request, ports, ref, device)


@router.post("/{ref}/test")
async def try_device(request: Request, ports: Ports, who: Operator, ref: str, device: int = 1) -> Response:
    """Try it now. Never changes the power. A device that fails is an answer, not an error of this page."""
    host = await find_host(ports.store, ref)
    try:
        attempt = await ports.operations.power(
            host.id, action=PowerAction.TEST, reason="test", actor=who.name, force=False, device=device
        )
        reading = None
        if attempt.accepted is Accepted.YES:
            reading = await ports.operations.power_status(host.id, device=device)
    except ServiceError as error:
        return await _page(request, ports, ref, device, not_asked(error.detail, error.reasons))
    return await _page(request, ports, ref, device, answered(attempt, reading))


async def _page(
    request: Request, ports: WebDeps, ref: str, device: int, answer: DeviceAnswer | None = None
) -> Response:
    host = await find_host(ports.store, ref)
    return render(request, "power_test.html", section="overview", host=host, device=device, answer=answer)
