"""What others say about a host: it is gone, it is back; and letting its next silence count."""

from fastapi import APIRouter

from controller.api.auth import Operator, Reporter
from controller.api.deps import Ports
from controller.api.schemas.incidents import Because, DisconnectIn, IncidentOut, ReconnectOut, ReportOut
from controller.api.schemas.inventory import HealthOut
from controller.domain.incident import Source
from controller.services.lookup import find_host

router = APIRouter(prefix="/hosts/{host}", tags=["reports"])


@router.post("/disconnect")
async def report_disconnect(ports: Ports, caller: Reporter, host: str, body: DisconnectIn | None = None) -> ReportOut:
    """Say that a host is gone. Saying it again changes nothing; a time in the future counts as now."""
    found = await find_host(ports.store, host)
    said = body or DisconnectIn()
    result = await ports.operations.report_disconnect(
        found.id, at=said.at, source=Source.REPORT, actor=caller.name, note=said.note
    )
    return ReportOut.model_validate(result)


@router.post("/reconnect")
async def report_reconnect(ports: Ports, caller: Reporter, host: str) -> ReconnectOut:
    """Say that a host is back: a reason to look at once, no proof."""
    found = await find_host(ports.store, host)
    incident = await ports.operations.report_reconnect(found.id, actor=caller.name)
    return ReconnectOut(incident=IncidentOut.model_validate(incident) if incident else None)


@router.post("/rearm")
async def rearm(ports: Ports, caller: Operator, host: str, body: Because) -> HealthOut:
    """Let the next silence of this host open an incident although it was not seen healthy since the last."""
    found = await find_host(ports.store, host)
    return HealthOut.model_validate(await ports.operations.rearm(found.id, reason=body.reason, actor=caller.name))
