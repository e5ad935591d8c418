"""Incidents: the list, and one of them."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.services import history
from controller.services.hosts import list_hosts
from controller.web.deps import Ports, Viewer
from controller.web.rendering import render
from controller.web.views.incident import incident_head
from controller.web.views.incidents import incident_lines

router = APIRouter(prefix="/incidents")
_PER_PAGE = 50


@router.get("")
async def show_all(request: Request, ports: Ports, who: Viewer, cursor: str | None = None) -> Response:
    """Newest first."""
    del who
    page = await history.incidents(
        ports.store, host=None, cluster=None, only_open=False, cursor=cursor, limit=_PER_PAGE
    )
    names = {host.id: host.name for host in await list_hosts(ports.store)}
    return render(
        request,
        "incidents.html",
        section="incidents",
        now=await ports.clock.now(),
        lines=incident_lines(page.items, names),
        next_cursor=page.next_cursor,
    )


@router.get("/{incident_id}")
async def show(request: Request, ports: Ports, who: Viewer, incident_id: str) -> Response:
    """One incident."""
    del who
    incident = await history.incident(ports.store, incident_id)
    names = {host.id: host.name for host in await list_hosts(ports.store)}
    return render(
        request,
        "incident.html",
        section="incidents",
        now=await ports.clock.now(),
        view=incident_head(incident, names.get(incident.host_id, incident.host_id)),
        events=await history.timeline(ports.store, incident_id),
    )
