"""The first page: what is open, and every cluster with its hosts, trouble first."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.services.at_a_glance import read_glance
from controller.web.deps import Ports, Viewer
from controller.web.foresight import Foresight
from controller.web.rendering import render
from controller.web.views.overview import overview

router = APIRouter()


@router.get("/")
async def show(request: Request, ports: Ports, who: Viewer, cluster: str = "") -> Response:
    """All clusters, or the one with this id."""
    del who
    foresight: Foresight = request.app.state.foresight
    glance = await read_glance(ports.store, ports.clock)
    view = overview(glance, await foresight.now(), ports.sights, only=cluster)
    return render(request, "overview.html", section="overview", now=glance.at, view=view)
