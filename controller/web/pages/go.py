"""Deep links from elsewhere: by CloudStack's uuid of a host or cluster, by hostfence's own id, or by name."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from controller.services.lookup import find_cluster, find_host
from controller.web.deps import Ports, Viewer
from controller.web.face import Face

router = APIRouter(prefix="/go")


@router.get("/host/{ref}")
async def host(request: Request, ports: Ports, who: Viewer, ref: str) -> Response:
    """To the host's page."""
    del who
    return _go(request, f"/hosts/{(await find_host(ports.store, ref)).id}")


@router.get("/cluster/{ref}")
async def cluster(request: Request, ports: Ports, who: Viewer, ref: str) -> Response:
    """To the cluster on the overview."""
    del who
    return _go(request, f"/?cluster={(await find_cluster(ports.store, ref)).id}")


def _go(request: Request, path: str) -> Response:
    face: Face = request.state.face
    return RedirectResponse(face.url(path), status_code=303)
