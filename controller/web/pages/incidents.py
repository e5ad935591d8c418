"""Incidents: the list, one of them with all that is known of it, and its whole timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller.domain.incident import Incident, State
from controller.domain.model import Level, Pause
from controller.services import history, pauses
from controller.services.clusters import list_clusters
from controller.services.errors import ServiceError
from controller.services.hosts import list_hosts
from controller.services.incident_story import Story, read_head, read_story
from controller.web.deps import Ports, Viewer, WebDeps
from controller.web.face import from_htmx
from controller.web.rendering import render
from controller.web.views.incident import incident_head
from controller.web.views.incidents import incident_lines
from controller.web.views.look import SEVERITIES
from controller.web.views.machines import machine_lines
from controller.web.views.overview import pause_line
from controller.web.views.picture import Drawn, picture
from controller.web.views.timeline import event_lines

router = APIRouter(prefix="/incidents")
_PER_PAGE = 50
_EVENTS_SHOWN = 150
_EVENTS_PER_PAGE = 200
_CLOSED = tuple(state for state in State if not state.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the list is narrowed to."""

    state: State | None
    cluster: str
    host: str

    @property
    def any(self) -> bool:
        """Narrowed at all."""
        return bool(self.state or self.cluster or self.host)

    def query(self, **more: str) -> str:
        """As a query string, with its question mark."""
        given = {"state": self.state or "", "cluster": self.cluster, "host": self.host, **more}
        said = urlencode({name: value for name, value in given.items() if value})
        return f"?{said}" if said else ""


@router.get("")
async def show_all(
    request: Request,
    ports: Ports,
    who: Viewer,
    state: Annotated[str, Query(max_length=32)] = "",
    cluster: Annotated[str, Query(max_length=255)] = "",
    host: Annotated[str, Query(max_length=255)] = "",
    cursor: str | None = None,
) -> Response:
    """The open ones first, then the closed ones, newest first, in pages."""
    del who
    chosen = Chosen(state=State(state) if state in set(State) else None, cluster=cluster, host=host.strip())
    problem = ""
    opened: list[Incident] = []
    closed: history.Page[Incident] | None = None
    try:
        if chosen.state is None or chosen.state.open:
            opened = (await _page(ports, chosen, cursor=None, only_open=True)).items
        if chosen.state is None or not chosen.state.open:
            closed = await _page(ports, chosen, cursor=cursor, only_open=False)
    except ServiceError as error:
        problem = error.detail
    names = {one.id: one.name for one in await list_hosts(ports.store)}
    face = request.state.face
    older = closed.next_cursor if closed is not None else None
    return render(
        request,
        "incidents.html",
        section="incidents",
        now=await ports.clock.now(),
        states=list(State),
        clusters=await list_clusters(ports.store),
        chosen=chosen,
        problem=problem,
        first_page=cursor is None,
        opened=incident_lines(opened, names),
        closed=incident_lines(closed.items if closed is not None else (), names),
        next_link=face.url("/incidents") + chosen.query(cursor=older) if older else "",
        newest_link=face.url("/incidents") + chosen.query(),
    )


async def _page(ports: WebDeps, chosen: Chosen, *, cursor: str | None, only_open: bool) -> history.Page[Incident]:
    return await history.incidents(
        ports.store,
        host=chosen.host or None,
        cluster=chosen.cluster or None,
        only_open=only_open,
        cursor=cursor,
        limit=_PER_PAGE,
        states=(chosen.state,) if chosen.state is not None else None if only_open else _CLOSED,
    )


@router.get("/{incident_id}")
async def show(request: Request, ports: Ports, who: Viewer, incident_id: str) -> Response:
    """One incident. Its head is fetched again most often, and needs little."""
    del who
    now = await ports.clock.now()
    head_only = from_htmx(request) and request.headers.get("hx-target") == "state"
    head = await read_head(ports.store, incident_id)
    names = {head.host.id: head.host.name} if head.host is not None else {}
    facts: dict[str, Any] = {
        "view": incident_head(head.incident, head.host, head.policy),
        "known": head.host is not None,
        "may_rearm": head.host is not None and not head.incident.open and not head.health.armed,
        "pauses": [
            pause_line(one, {head.incident.cluster_id: head.cluster_name}, names)
            for one in await pauses.list_pauses(ports.store, ports.clock, active=True)
            if head.incident.open and _concerns(one, head.incident)
        ],
    }
    if not head_only:
        story = await read_story(ports.store, head.incident)
        lines = event_lines(story.events)
        facts |= {
            "drawn": picture(_drawn(story, names), now=now),
            "machines": machine_lines(head.incident, story.events, story.rounds.sample),
            "events": lines[:_EVENTS_SHOWN],
            "events_total": len(lines),
            "notices": story.notices,
            "looks": SEVERITIES,
        }
    return render(request, "incident.html", section="incidents", now=now, **facts)


@router.get("/{incident_id}/timeline")
async def show_timeline(
    request: Request, ports: Ports, who: Viewer, incident_id: str, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> Response:
    """All of it, in pages."""
    del who
    head = await read_head(ports.store, incident_id)
    lines = event_lines(await history.timeline(ports.store, incident_id))
    begin = (page - 1) * _EVENTS_PER_PAGE
    return render(
        request,
        "incident_timeline.html",
        section="incidents",
        now=await ports.clock.now(),
        id=incident_id,
        name=head.host.name if head.host is not None else head.incident.host_id,
        events=lines[begin : begin + _EVENTS_PER_PAGE],
        total=len(lines),
        page=page,
        pages=max(1, -(-len(lines) // _EVENTS_PER_PAGE)),
    )


def _concerns(pause: Pause, incident: Incident) -> bool:
    return pause.level is Level.GLOBAL or pause.owner_id in (incident.cluster_id, incident.host_id)


def _drawn(story: Story, names: Mapping[str, str]) -> Drawn:
    return Drawn(
        incident=story.incident,
        events=story.events,
        runs=story.rounds.runs,
        sample=story.rounds.sample,
        attempts=story.attempts,
        effects=story.effects,
        names={**story.names, **names},
    )
