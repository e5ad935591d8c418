"""Pausing fencing, and lifting a pause: each a page that asks, shown in the dialog."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.domain.model import Level, Pause
from controller.services import pauses
from controller.services.errors import BadInput, NotFound, ServiceError
from controller.services.lookup import find_cluster, find_host
from controller.web.deps import Operator, Ports, WebDeps
from controller.web.face import path_inside
from controller.web.flash import done
from controller.web.rendering import render

router = APIRouter(prefix="/pauses")
DURATIONS = {"900": "15 minutes", "3600": "1 hour", "14400": "4 hours", "86400": "1 day", "": "until somebody lifts it"}
_Reason = Annotated[str, Form(max_length=2000)]
_Owner = Annotated[str, Form(max_length=255)]
_Back = Annotated[str, Form(max_length=512)]
"""The page that it was asked for on."""


@router.get("/new")
async def ask(
    request: Request, ports: Ports, who: Operator, level: Level = Level.GLOBAL, owner: str = "", back: str = "/"
) -> Response:
    """Whether, how long and why."""
    del who
    return await _ask(request, ports, level, owner, back)


@router.post("/new")
async def pause(
    request: Request,
    ports: Ports,
    who: Operator,
    *,
    reason: _Reason = "",
    lasts: _Owner = "3600",
    level: Annotated[Level, Form()] = Level.GLOBAL,
    owner: _Owner = "",
    back: _Back = "/",
) -> Response:
    """Do it."""
    try:
        if lasts not in DURATIONS:
            raise BadInput("choose how long", code="bad_duration", field="lasts")  # noqa: TRY301 - the form's own check
        length = timedelta(seconds=int(lasts)) if lasts else None
        new = pauses.NewPause(level=level, owner=owner, reason=reason, lasts=length)
        await pauses.create_pause(ports.store, ports.clock, new, actor=who.name)
    except BadInput as error:
        return await _ask(request, ports, level, owner, back, reason=reason, lasts=lasts, error=error)
    where = await _where(ports, level, owner)
    return done(request, path_inside(back), f"Fencing is paused {where}: {DURATIONS[lasts]}.", tone="warn")


@router.get("/{pause_id}/lift")
async def ask_to_lift(request: Request, ports: Ports, who: Operator, pause_id: str, back: str = "/") -> Response:
    """Whether and why."""
    del who
    return await _ask_to_lift(request, ports, pause_id, back)


@router.post("/{pause_id}/lift")
async def lift(
    request: Request, ports: Ports, who: Operator, pause_id: str, reason: _Reason = "", back: _Back = "/"
) -> Response:
    """Do it."""
    try:
        await pauses.lift_pause(ports.store, ports.clock, pause_id, reason=reason, actor=who.name)
    except BadInput as error:
        return await _ask_to_lift(request, ports, pause_id, back, error)
    return done(request, path_inside(back), "The pause is lifted.")


async def _ask(
    request: Request,
    ports: WebDeps,
    level: Level,
    owner: str,
    back: str,
    *,
    reason: str = "",
    lasts: str = "3600",
    error: ServiceError | None = None,
) -> Response:
    return render(
        request,
        "pause.html",
        status=error.status if error is not None else 200,
        section="overview",
        level=level,
        owner=owner,
        back=path_inside(back),
        where=await _where(ports, level, owner),
        reason=reason,
        lasts=lasts,
        durations=DURATIONS,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
    )


async def _ask_to_lift(
    request: Request, ports: WebDeps, pause_id: str, back: str, error: ServiceError | None = None
) -> Response:
    found = await _pause(ports, pause_id)
    return render(
        request,
        "pause_lift.html",
        status=error.status if error is not None else 200,
        section="overview",
        pause=found,
        back=path_inside(back),
        where=await _where(ports, found.level, found.owner_id),
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
    )


async def _pause(ports: WebDeps, pause_id: str) -> Pause:
    for one in await pauses.list_pauses(ports.store, ports.clock, active=True):
        if one.id == pause_id:
            return one
    raise NotFound("this pause is over, or was lifted already", code="unknown_pause")


async def _where(ports: WebDeps, level: Level, owner: str) -> str:
    match level:
        case Level.GLOBAL:
            return "everywhere"
        case Level.CLUSTER:
            return f"in cluster {(await find_cluster(ports.store, owner)).name}"
        case Level.HOST:
            return f"on host {(await find_host(ports.store, owner)).name}"
