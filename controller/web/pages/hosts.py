"""One host: how it stands, whether it could be fenced, what its devices and neighbors say of it, and its incidents."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.services import history
from controller.services.hosts import host_with_health, list_hosts, policy_of_host
from controller.services.lookup import find_cluster, find_host
from controller.services.sights import storage_of
from controller.services.vms import list_vms
from controller.web.deps import Ports, Viewer
from controller.web.rendering import render
from controller.web.views.host_page import beats, devices, why
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
    names = {one.id: one.name for one in await list_hosts(ports.store, cluster=host.cluster_id)}
    return render(
        request,
        "host.html",
        section="overview",
        now=now,
        host=host,
        health=health,
        opened=opened,
        cluster=await find_cluster(ports.store, host.cluster_id),
        state=host_state(host, health, opened, ports.sights, now=now),
        devices=devices(await policy_of_host(ports.store, host), health),
        beats=beats(host, ports.sights, names, now=now),
        storage=await storage_of(ports.store, ports.sights, host),
        vms=await list_vms(ports.store, host.id),
        lines=incident_lines(past.items, {host.id: host.name}),
    )


@router.get("/{ref}/why")
async def show_why(request: Request, ports: Ports, who: Viewer, ref: str) -> Response:
    """Could it be fenced if it died now? A part of its own, as agents may have to be asked."""
    del who
    host = await find_host(ports.store, ref)
    explanation = await ports.explainer.host(host.id)
    return render(request, "host_why.html", section="overview", now=explanation.at, host=host, why=why(explanation))
