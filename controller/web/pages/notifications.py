"""What people were told: channels with a Test each, where every message stands, the message itself, sending again."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from controller.domain.model import DeliveryStatus
from controller.notifications import render as words
from controller.services import channels, history, resending
from controller.services.clusters import list_clusters
from controller.services.errors import NotFound, ServiceError
from controller.web.deps import Operator, Ports, Viewer, WebDeps
from controller.web.flash import done
from controller.web.rendering import render
from controller.web.views.notifications import (
    DELIVERIES,
    ChannelAnswer,
    ToldLine,
    channel_answer,
    channel_lines,
    told_line,
)

router = APIRouter()
_PER_PAGE = 50
_Channel = Annotated[str, Query(max_length=255)]
_TypedChannel = Annotated[str, Form(max_length=255)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the list is narrowed to."""

    status: DeliveryStatus | None
    channel: str

    @property
    def any(self) -> bool:
        """Narrowed at all."""
        return bool(self.status or self.channel)

    def query(self, **more: str) -> str:
        """As a query string, with its question mark."""
        given = {"status": self.status or "", "channel": self.channel, **more}
        said = urlencode({name: value for name, value in given.items() if value})
        return f"?{said}" if said else ""


@router.get("/notifications")
async def show_all(
    request: Request,
    ports: Ports,
    who: Viewer,
    status: Annotated[str, Query(max_length=32)] = "",
    channel: _Channel = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The channels, then everything that was told, newest first, in pages."""
    del who
    chosen = Chosen(status=DeliveryStatus(status) if status in set(DeliveryStatus) else None, channel=channel.strip())
    found = await channels.list_channels(ports.store)
    told, older = await _told(ports, chosen, cursor)
    to_here = request.state.face.url("/notifications")
    return render(
        request,
        "notifications.html",
        section="notifications",
        now=await ports.clock.now(),
        channels=channel_lines(found, await _cluster_names(ports)),
        told=told,
        chosen=chosen,
        statuses=DELIVERIES,
        first_page=cursor is None,
        next_link=to_here + chosen.query(cursor=older) if older else "",
        newest_link=to_here + chosen.query(),
    )


@router.get("/channels/test")
async def ask_to_test(request: Request, ports: Ports, who: Operator, channel: _Channel = "") -> Response:
    """What Test does, and the button."""
    del who
    return await _test_page(request, ports, channel)


@router.post("/channels/test")
async def try_channel(request: Request, ports: Ports, who: Operator, channel: _TypedChannel = "") -> Response:
    """Send a message that says it is a test. A receiver that refuses it is an answer, not an error of this page."""
    tested = await channels.try_channel(
        ports.store, ports.clock, ports.channels, channel, link_base=ports.link_base, actor=who.name
    )
    return await _test_page(request, ports, channel, channel_answer(tested))


@router.get("/channels/resend")
async def ask_to_resend_channel(request: Request, ports: Ports, who: Operator, channel: _Channel = "") -> Response:
    """Whether everything that this channel gave up is to be tried again."""
    del who
    return await _ask_to_resend(request, ports, channel=channel)


@router.post("/channels/resend")
async def resend_channel(request: Request, ports: Ports, who: Operator, channel: _TypedChannel = "") -> Response:
    """Do it."""
    try:
        count = await resending.resend_channel(ports.store, ports.clock, channel, actor=who.name)
    except ServiceError as error:
        return await _ask_to_resend(request, ports, channel=channel, error=error)
    if not count:
        return done(request, "/notifications", f"Nothing that {channel} gave up is left to send.", tone="info")
    return done(request, "/notifications", f"{_messages(count)} to {channel} will be tried again.")


@router.get("/notifications/{notice_id}")
async def show(request: Request, ports: Ports, who: Viewer, notice_id: str) -> Response:
    """One notification: the message as it was told, where it stands, and of a digest what it tells."""
    del who
    notice, deliveries, members = await history.notice(ports.store, notice_id)
    message = words.render(notice, link_base=ports.link_base, clusters=await _cluster_names(ports), members=members)
    return render(
        request,
        "notification.html",
        section="notifications",
        now=await ports.clock.now(),
        told=told_line(notice, deliveries),
        host_id=notice.host_id,
        message=message,
        members=[told_line(one, ()) for one in members],
    )


@router.get("/notifications/{notice_id}/resend")
async def ask_to_resend(
    request: Request, ports: Ports, who: Operator, notice_id: str, channel: _Channel = ""
) -> Response:
    """Whether what was given up of one notification is to be tried again: on one channel, or on all that gave up."""
    del who
    return await _ask_to_resend(request, ports, notice_id=notice_id, channel=channel)


@router.post("/notifications/{notice_id}/resend")
async def resend(
    request: Request, ports: Ports, who: Operator, notice_id: str, channel: _TypedChannel = ""
) -> Response:
    """Do it."""
    try:
        again = await resending.resend(ports.store, ports.clock, notice_id, channel=channel or None, actor=who.name)
    except ServiceError as error:
        return await _ask_to_resend(request, ports, notice_id=notice_id, channel=channel, error=error)
    names = ", ".join(one.channel for one in again)
    return done(request, f"/notifications/{quote(notice_id, safe='')}", f"It will be tried again on {names}.")


async def _told(ports: WebDeps, chosen: Chosen, cursor: str | None) -> tuple[list[ToldLine], str | None]:
    """All notifications with all their deliveries; where the list is narrowed, the deliveries that fit."""
    if not chosen.any:
        page = await history.notices(ports.store, incident_id=None, cursor=cursor, limit=_PER_PAGE)
        return [told_line(notice, deliveries) for notice, deliveries in page.items], page.next_cursor
    fitting = await history.deliveries(
        ports.store,
        channel=chosen.channel or None,
        status=chosen.status,
        incident_id=None,
        cursor=cursor,
        limit=_PER_PAGE,
    )
    return [told_line(notice, (delivery,)) for delivery, notice in fitting.items], fitting.next_cursor


async def _cluster_names(ports: WebDeps) -> dict[str, str]:
    return {one.id: one.name for one in await list_clusters(ports.store)}


async def _channel(ports: WebDeps, name: str) -> channels.ChannelAtWork:
    for one in await channels.list_channels(ports.store):
        if one.name == name:
            return one
    raise NotFound(f"there is no channel {name!r}", code="unknown_channel")


async def _test_page(request: Request, ports: WebDeps, name: str, answer: ChannelAnswer | None = None) -> Response:
    channel = await _channel(ports, name)
    return render(request, "channel_test.html", section="notifications", channel=channel, answer=answer)


async def _ask_to_resend(
    request: Request, ports: WebDeps, *, channel: str, notice_id: str = "", error: ServiceError | None = None
) -> Response:
    if notice_id:
        notice, deliveries, _ = await history.notice(ports.store, notice_id)
        told = told_line(notice, deliveries)
        count = 0
    else:
        told = None
        count = (await _channel(ports, channel)).state.dead
    return render(
        request,
        "resend.html",
        status=error.status if error is not None else 200,
        section="notifications",
        told=told,
        channel=channel,
        messages=_messages(count),
        path=f"/notifications/{quote(notice_id, safe='')}/resend" if notice_id else "/channels/resend",
        error=error.detail if error is not None else "",
    )


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
