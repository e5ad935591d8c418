"""The audit: who changed what and when, newest first, in pages."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller.services import history
from controller.web.deps import Ports, Viewer
from controller.web.rendering import render
from controller.web.views.audit import audit_lines

router = APIRouter()
_PER_PAGE = 100


@router.get("/audit")
async def show(
    request: Request, ports: Ports, who: Viewer, cursor: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """All of it."""
    del who
    page = await history.audit(ports.store, cursor=cursor, limit=_PER_PAGE)
    to_here = request.state.face.url("/audit")
    return render(
        request,
        "audit.html",
        section="audit",
        now=await ports.clock.now(),
        lines=audit_lines(page.items),
        first_page=cursor is None,
        newest_link=to_here,
        next_link=f"{to_here}?{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else "",
    )
