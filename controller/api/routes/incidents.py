"""Incidents: what happened and why, and what a person may do about it."""

from fastapi import APIRouter

from controller.api.auth import Operator, Viewer
from controller.api.deps import Ports
from controller.api.routes.paging import Cursor, IncidentId, Limit
from controller.api.schemas.incidents import (
    AcknowledgeIn,
    AttemptOut,
    Because,
    EffectOut,
    EventOut,
    IncidentOut,
    IncidentPage,
    RoundOut,
)
from controller.domain.model import Role
from controller.services import history
from controller.services.errors import Forbidden

router = APIRouter(prefix="/incidents", tags=["incidents"])


@router.get("")
async def list_incidents(
    ports: Ports,
    caller: Viewer,
    host: str | None = None,
    cluster: str | None = None,
    *,
    only_open: bool = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> IncidentPage:
    """Newest first, in pages. ``only_open``: the open ones, all on one page."""
    del caller
    page = await history.incidents(
        ports.store, host=host, cluster=cluster, only_open=only_open, cursor=cursor, limit=limit
    )
    return IncidentPage.model_validate(page)


@router.get("/{incident_id}")
async def get_incident(ports: Ports, caller: Viewer, incident_id: IncidentId) -> IncidentOut:
    """One incident."""
    del caller
    return IncidentOut.model_validate(await history.incident(ports.store, incident_id))


@router.get("/{incident_id}/events")
async def list_events(ports: Ports, caller: Viewer, incident_id: IncidentId) -> list[EventOut]:
    """The timeline, oldest first."""
    del caller
    return [EventOut.model_validate(one) for one in await history.timeline(ports.store, incident_id)]


@router.get("/{incident_id}/rounds")
async def list_rounds(ports: Ports, caller: Viewer, incident_id: IncidentId, limit: Limit = 200) -> list[RoundOut]:
    """The newest check rounds with their evidence, oldest first."""
    del caller
    return [RoundOut.model_validate(one) for one in await history.rounds(ports.store, incident_id, limit=limit)]


@router.get("/{incident_id}/attempts")
async def list_attempts(ports: Ports, caller: Viewer, incident_id: IncidentId) -> list[AttemptOut]:
    """The power commands, oldest first."""
    del caller
    return [AttemptOut.model_validate(one) for one in await history.attempts(ports.store, incident_id)]


@router.get("/{incident_id}/effects")
async def list_effects(ports: Ports, caller: Viewer, incident_id: IncidentId) -> list[EffectOut]:
    """Quarantine, release and the like, oldest first."""
    del caller
    return [EffectOut.model_validate(one) for one in await history.effects(ports.store, incident_id)]


@router.post("/{incident_id}/acknowledge")
async def acknowledge(ports: Ports, caller: Operator, incident_id: IncidentId, body: AcknowledgeIn) -> IncidentOut:
    """Vouch that the host is off. Refused against signs of life; against moving disks alone an admin may insist."""
    if body.second_admin and caller.role is not Role.ADMIN:
        raise Forbidden("second_admin needs the role admin", code="role_needed", field="second_admin")
    changed = await ports.operations.acknowledge(
        incident_id,
        host_name=body.host_name,
        reason=body.reason,
        actor=caller.name,
        second_admin=body.second_admin,
    )
    return IncidentOut.model_validate(changed)


@router.post("/{incident_id}/cancel")
async def cancel(ports: Ports, caller: Operator, incident_id: IncidentId, body: Because) -> IncidentOut:
    """End the incident without action. Refused once a power command may have been sent."""
    changed = await ports.operations.cancel(incident_id, reason=body.reason, actor=caller.name)
    return IncidentOut.model_validate(changed)


@router.post("/{incident_id}/retry")
async def retry(ports: Ports, caller: Operator, incident_id: IncidentId, body: Because) -> IncidentOut:
    """Take a held incident up again. Never sends a power command by itself."""
    changed = await ports.operations.retry(incident_id, reason=body.reason, actor=caller.name)
    return IncidentOut.model_validate(changed)
