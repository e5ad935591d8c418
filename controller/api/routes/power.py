"""A person's own power commands. None of them releases anything; each is audited."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.api.auth import Operator
from controller.api.deps import Deps, Ports
from controller.api.schemas.incidents import AttemptOut, BlinkIn, PowerIn, PowerReadingOut
from controller.domain.catalogue import GROUPS
from controller.domain.power import PowerAction
from controller.services.access import Principal
from controller.services.lookup import find_host

router = APIRouter(prefix="/hosts/{host}/power", tags=["power"])

Device = Annotated[int, Query(ge=1, le=len(GROUPS), description="which power device of the host; 2: `second.*`")]


@router.get("")
async def read_power(ports: Ports, caller: Operator, host: str, device: Device = 1) -> PowerReadingOut:
    """Read the power state now. Takes the device's one session, so it is not for watching."""
    del caller
    found = await find_host(ports.store, host)
    return PowerReadingOut.model_validate(await ports.operations.power_status(found.id, device=device))


@router.post("/test")
async def try_device(ports: Ports, caller: Operator, host: str, device: Device = 1) -> AttemptOut:
    """Try address, credentials and driver. Never changes the power."""
    return await _act(ports, caller, host, PowerAction.TEST, reason="test", device=device)


@router.post("/blink")
async def blink(ports: Ports, caller: Operator, host: str, body: BlinkIn, device: Device = 1) -> AttemptOut:
    """Light or put out the LED that helps to find the machine."""
    action = PowerAction.BLINK if body.on else PowerAction.BLINK_OFF
    return await _act(ports, caller, host, action, reason="find the machine", device=device)


@router.post("/off")
async def power_off(ports: Ports, caller: Operator, host: str, body: PowerIn, device: Device = 1) -> AttemptOut:
    """Cut the power. Refused against signs of life unless forced."""
    return await _act(ports, caller, host, PowerAction.OFF, reason=body.reason, force=body.force, device=device)


@router.post("/on")
async def power_on(ports: Ports, caller: Operator, host: str, body: PowerIn, device: Device = 1) -> AttemptOut:
    """Give power."""
    return await _act(ports, caller, host, PowerAction.ON, reason=body.reason, force=body.force, device=device)


@router.post("/reboot")
async def reboot(ports: Ports, caller: Operator, host: str, body: PowerIn, device: Device = 1) -> AttemptOut:
    """Reset the machine. Refused against signs of life unless forced."""
    return await _act(ports, caller, host, PowerAction.REBOOT, reason=body.reason, force=body.force, device=device)


async def _act(
    ports: Deps, caller: Principal, host: str, action: PowerAction, *, reason: str, device: int, force: bool = False
) -> AttemptOut:
    found = await find_host(ports.store, host)
    attempt = await ports.operations.power(
        found.id, action=action, reason=reason, actor=caller.name, force=force, device=device
    )
    return AttemptOut.model_validate(attempt)
