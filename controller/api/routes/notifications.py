"""What people were told and through which channels; testing a channel, and sending again what was given up."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from controller.api.auth import Operator, Viewer
from controller.api.deps import Ports
from controller.api.routes.paging import Cursor, Limit, MaybeIncidentId
from controller.api.schemas.notifications import (
    ChannelIn,
    ChannelKindOut,
    ChannelOut,
    ChannelTestOut,
    DeliveryLine,
    DeliveryOut,
    DeliveryPage,
    NoticeDetail,
    NoticeOut,
    NoticePage,
    ResendIn,
    ResentOut,
)
from controller.domain.channels.kinds import KINDS
from controller.domain.model import DeliveryStatus
from controller.services import channels, history, resending

router = APIRouter(tags=["notifications"])
NoticeId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]


@router.get("/channels")
async def list_channels(ports: Ports, caller: Viewer) -> list[ChannelOut]:
    """Every channel: where it goes, what it carries, what waits and what was given up."""
    del caller
    return [ChannelOut.of(one) for one in await channels.list_channels(ports.store)]


@router.get("/channels/kinds")
async def list_channel_kinds(caller: Viewer) -> list[ChannelKindOut]:
    """What may be written into the setting `channels`: the kinds, and the fields of each."""
    del caller
    return [ChannelKindOut.of(kind) for kind in KINDS.values()]


@router.post("/channels/test")
async def try_channel(ports: Ports, caller: Operator, body: ChannelIn) -> ChannelTestOut:
    """Send a message that says it is a test, and answer with what the receiver said. Takes up to 45 s."""
    tested = await channels.try_channel(
        ports.store, ports.clock, ports.channels, body.channel, link_base=ports.link_base, actor=caller.name
    )
    return ChannelTestOut.of(tested)


@router.post("/channels/resend")
async def resend_channel(ports: Ports, caller: Operator, body: ChannelIn) -> ResentOut:
    """Try everything again that this channel gave up. Much at once comes as a digest."""
    count = await resending.resend_channel(ports.store, ports.clock, body.channel, actor=caller.name)
    return ResentOut(channel=body.channel, resent=count)


@router.get("/notifications")
async def list_notifications(
    ports: Ports, caller: Viewer, incident_id: MaybeIncidentId = None, cursor: Cursor = None, limit: Limit = 100
) -> NoticePage:
    """What people were told and where each delivery stands, newest first, in pages."""
    del caller
    page = await history.notices(ports.store, incident_id=incident_id, cursor=cursor, limit=limit)
    return NoticePage(items=[NoticeOut.of(*one) for one in page.items], next_cursor=page.next_cursor)


@router.get("/notifications/{notification_id}")
async def get_notification(ports: Ports, caller: Viewer, notification_id: NoticeId) -> NoticeDetail:
    """One notification; of a digest, with everything that it tells."""
    del caller
    return NoticeDetail.with_members(*await history.notice(ports.store, notification_id))


@router.post("/notifications/{notification_id}/resend")
async def resend(ports: Ports, caller: Operator, notification_id: NoticeId, body: ResendIn) -> list[DeliveryOut]:
    """Try again what was given up of one notification, on one channel or all. Never what was taken."""
    again = await resending.resend(ports.store, ports.clock, notification_id, channel=body.channel, actor=caller.name)
    return [DeliveryOut.model_validate(one) for one in again]


@router.get("/deliveries")
async def list_deliveries(
    ports: Ports,
    caller: Viewer,
    status: DeliveryStatus | None = None,
    channel: Annotated[str | None, Query(max_length=255)] = None,
    incident_id: MaybeIncidentId = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> DeliveryPage:
    """Where each message to each channel stands, those of the newest notifications first, in pages."""
    del caller
    page = await history.deliveries(
        ports.store, channel=channel, status=status, incident_id=incident_id, cursor=cursor, limit=limit
    )
    return DeliveryPage(items=[DeliveryLine.of(*one) for one in page.items], next_cursor=page.next_cursor)
