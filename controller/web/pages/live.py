"""``/live``: a stream of server-sent events that say what changed. It carries topics, never content."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from controller.db.store import StoreError
from controller.services.sessions import who_is
from controller.web import timing
from controller.web.deps import Ports, Viewer, WebDeps
from controller.web.live import Live

router = APIRouter()
BEAT_S = 10.0
_BEATS_UNTIL_ASKED = 3
_MOST_TOPICS = 200


@router.get("/live")
async def live(request: Request, ports: Ports, who: Viewer, topics: str = "") -> StreamingResponse:
    """``topics``: what the page shows, separated by blanks; ``cluster:*`` stands for all clusters."""
    del who
    hub: Live = request.app.state.live
    wanted = topics.split()[:_MOST_TOPICS]
    return StreamingResponse(
        _stream(hub, ports, wanted, cookie=request.state.cookie),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # nginx would keep it back until there is more
    )


async def _stream(hub: Live, ports: WebDeps, wanted: list[str], *, cookie: str) -> AsyncIterator[str]:
    """Begins with a beat, so that the page knows that it is live; ends with the process or with the session."""
    beats = 0
    with hub.viewer(wanted) as viewer:
        yield f"retry: 2000\n{_beat(hub)}"
        while not hub.closed:
            news = await viewer.news(within_s=BEAT_S)
            if news:
                yield f"event: changed\ndata: {' '.join(news)}\n\n"
                continue
            beats += 1
            if beats % _BEATS_UNTIL_ASKED == 0 and not await _still_signed_in(ports, cookie):
                yield "event: signed-out\ndata:\n\n"
                return
            yield _beat(hub)


async def _still_signed_in(ports: WebDeps, cookie: str) -> bool:
    """While the database does not answer nobody knows: the stream then says only that it is not live."""
    try:
        return await who_is(ports.store, ports.clock, cookie, acts=False) is not None
    except StoreError:
        return True


def _beat(hub: Live) -> str:
    said = {
        "now": timing.machine(hub.looked_at) if hub.looked_at is not None and not hub.trouble else None,
        "since": timing.machine(hub.looked_at) if hub.looked_at is not None and hub.trouble else None,
        "trouble": hub.trouble,
    }
    return f"event: beat\ndata: {json.dumps(said)}\n\n"
