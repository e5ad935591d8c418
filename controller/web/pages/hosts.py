"""One host: how it stands, and its incidents."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.services import history
from controller.services.hosts import host_with_health
from controller.services.lookup import find_cluster
from controller.web.deps import Ports, Viewer
from controller.web.rendering import render
from controller.web.views.host_state import host_state
from controller.web.views.incidents import incident_lines

router = APIRouter(prefix="/hosts")
_NEWEST = 10


@router.get("/{ref}")
async def show(request: Request, ports: Ports, who: Viewer, ref: str) -> Response:
    """By any of its names."""
    del who
    host, health = await host_with_health(ports.store, ref)
    now = await ports.clock.now()
    past = await history.incidents(ports.store, host=host.id, cluster=None, only_open=False, cursor=None, limit=_NEWEST)
    opened = next((one for one in past.items if one.open), None)
    return render(
        request,
        "host.html",
        section="overview",
        now=now,
        host=host,
        cluster=await find_cluster(ports.store, host.cluster_id),
        state=host_state(host, health, opened, ports.sights, now=now),
        lines=incident_lines(past.items, {host.id: host.name}),
    )
