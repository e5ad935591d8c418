"""Settings of everything, a cluster or a host, in tabs (the IPMI tab first); and arming or disarming a level."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.domain.inheritance import Origin
from controller.domain.model import Level
from controller.domain.policy import Mode
from controller.services import settings
from controller.services.errors import BadInput, ServiceError
from controller.services.lookup import find_cluster, find_host
from controller.services.settings import Scope
from controller.web.deps import Admin, Ports, Viewer, WebDeps
from controller.web.flash import done
from controller.web.rendering import render
from controller.web.views.look import MODES
from controller.web.views.settings_form import (
    Group,
    Sources,
    Typed,
    changes_in,
    group_named,
    rows,
    tabs_for,
    typed_in,
    with_typed,
)

router = APIRouter()
_Short = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose settings. ``path``: their page. ``parent``: where what is not set here comes from."""

    scope: Scope
    path: str
    title: str
    cluster_name: str = ""
    host_id: str = ""
    parent: str = ""
    parent_path: str = ""


@router.get("/settings")
async def show_global(request: Request, ports: Ports, who: Viewer, group: str = "") -> Response:
    """What holds everywhere unless a cluster or host says otherwise."""
    del who
    return await _show(request, ports, await _place(ports, Level.GLOBAL, ""), group)


@router.get("/clusters/{ref}/settings")
async def show_cluster(request: Request, ports: Ports, who: Viewer, ref: str, group: str = "") -> Response:
    """A cluster's."""
    del who
    return await _show(request, ports, await _place(ports, Level.CLUSTER, ref), group)


@router.get("/hosts/{ref}/settings")
async def show_host(request: Request, ports: Ports, who: Viewer, ref: str, group: str = "") -> Response:
    """A host's."""
    del who
    return await _show(request, ports, await _place(ports, Level.HOST, ref), group)


@router.post("/settings")
async def write_global(request: Request, ports: Ports, who: Admin) -> Response:
    """Save what was changed."""
    return await _write(request, ports, await _place(ports, Level.GLOBAL, ""), who.name)


@router.post("/clusters/{ref}/settings")
async def write_cluster(request: Request, ports: Ports, who: Admin, ref: str) -> Response:
    """Save what was changed."""
    return await _write(request, ports, await _place(ports, Level.CLUSTER, ref), who.name)


@router.post("/hosts/{ref}/settings")
async def write_host(request: Request, ports: Ports, who: Admin, ref: str) -> Response:
    """Save what was changed."""
    return await _write(request, ports, await _place(ports, Level.HOST, ref), who.name)


@router.get("/mode")
async def ask_mode(
    request: Request, ports: Ports, who: Admin, level: Level = Level.GLOBAL, owner: str = "", to: str = ""
) -> Response:
    """Arm, disarm or inherit: what that would mean, first."""
    del who
    return await _ask_mode(request, ports, level, owner, to)


@router.post("/mode")
async def set_mode(
    request: Request,
    ports: Ports,
    who: Admin,
    to: _Short,
    level: Annotated[Level, Form()] = Level.GLOBAL,
    owner: _Short = "",
    reason: _Short = "",
) -> Response:
    """Do it."""
    place = await _place(ports, level, owner)
    try:
        mode = _mode_named(to)
        holds = await settings.set_mode(
            ports.store, ports.clock, place.scope, mode, reason=reason, rules=ports.device_rules, actor=who.name
        )
    except ServiceError as error:
        return await _ask_mode(request, ports, level, owner, to, reason=reason, error=error)
    said = f"{place.title}: {mode.value if mode else 'inherits'}. What holds there now: {holds.value}."
    return done(request, place.path, said, tone="warn" if holds.value == Mode.ENFORCE else "ok")


async def _place(ports: WebDeps, level: Level, ref: str) -> Place:
    match level:
        case Level.GLOBAL:
            return Place(scope=Scope(level=level), path="/settings", title="All clusters")
        case Level.CLUSTER:
            cluster = await find_cluster(ports.store, ref)
            return Place(
                scope=Scope(level=level, ref=cluster.id),
                path=f"/clusters/{cluster.id}/settings",
                title=f"Cluster {cluster.name}",
                cluster_name=cluster.name,
                parent="all clusters",
                parent_path="/settings",
            )
        case Level.HOST:
            host = await find_host(ports.store, ref)
            cluster = await find_cluster(ports.store, host.cluster_id)
            return Place(
                scope=Scope(level=level, ref=host.id),
                path=f"/hosts/{host.id}/settings",
                title=f"Host {host.name}",
                cluster_name=cluster.name,
                host_id=host.id,
                parent=f"cluster {cluster.name}",
                parent_path=f"/clusters/{cluster.id}/settings",
            )


async def _sources(ports: WebDeps, place: Place) -> Sources:
    reach = await settings.reach_of(ports.store, place.scope)
    return Sources(
        level=place.scope.level,
        effective=await settings.effective_settings(ports.store, place.scope),
        written=await settings.written_settings(ports.store, place.scope),
        names={
            Origin.DEFAULT: "default",
            Origin.GLOBAL: "inherited from all clusters",
            Origin.CLUSTER: f"inherited from cluster {place.cluster_name}",
            Origin.HOST: "set here",
        },
        elsewhere=reach.own,
    )


async def _show(
    request: Request,
    ports: WebDeps,
    place: Place,
    key: str,
    *,
    typed: Mapping[str, Typed] | None = None,
    error: ServiceError | None = None,
    note: str = "",
) -> Response:
    group = group_named(key, place.scope.level)
    sources = await _sources(ports, place)
    problems = _problems(error)
    fields = with_typed(rows(group, sources), typed or {}, problems)
    here = {one.name for one in fields}
    effective_mode = sources.effective["mode"]
    return render(
        request,
        "settings.html",
        status=error.status if error is not None else 200,
        section="settings" if place.scope.level is Level.GLOBAL else "overview",
        place=place,
        level=place.scope.level.value,
        tabs=tabs_for(place.scope.level),
        group=group,
        fields=fields,
        hosts=(await settings.reach_of(ports.store, place.scope)).hosts,
        mode=MODES[Mode(effective_mode.value)],
        mode_origin=sources.names[effective_mode.source],
        mode_own=sources.written.get("mode"),
        problems=[text for name, text in problems.items() if name not in here],
        failed=error is not None,
        note=note,
    )


async def _write(request: Request, ports: WebDeps, place: Place, actor: str) -> Response:
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    group = group_named(form.get("group", ""), place.scope.level)
    changes, reset = changes_in(form, group, place.scope.level), form.get("reset", "")
    now_written = {reset: None} if reset else changes
    path = f"{place.path}?group={group.key}"
    if not now_written:
        return done(request, path, "Nothing was changed.", tone="info")
    try:
        await _save(ports, place, now_written, actor)
    except ServiceError as error:
        typed = typed_in(form, group, place.scope.level)
        return await _show(request, ports, place, group.key, typed=typed, error=error)
    unsaved = {name for name in changes if name != reset}
    if reset and unsaved:
        typed = {name: one for name, one in typed_in(form, group, place.scope.level).items() if name in unsaved}
        note = f"{reset} is inherited again. What else you typed is not saved yet."
        return await _show(request, ports, place, group.key, typed=typed, note=note)
    return done(request, path, _said(group, now_written, (await settings.reach_of(ports.store, place.scope)), place))


async def _save(ports: WebDeps, place: Place, changes: Mapping[str, Any], actor: str) -> None:
    await settings.write_settings(
        ports.store, ports.clock, place.scope, changes, replace=False, rules=ports.device_rules, actor=actor
    )


def _said(group: Group, changes: Mapping[str, Any], reach: settings.Reach, place: Place) -> str:
    del group
    kept = [f"{name} {'is inherited again' if value is None else 'is set'}" for name, value in changes.items()]
    text = "; ".join(kept[:5]) + (f"; and {len(kept) - 5} more" if len(kept) > 5 else "") + "."
    if place.scope.level is Level.HOST:
        return text
    holds = min(reach.hosts - reach.own.get(name, 0) for name in changes)
    most = max(reach.hosts - reach.own.get(name, 0) for name in changes)
    return f"{text} It reaches {most if holds == most else f'{holds} to {most}'} of {reach.hosts} hosts."


def _problems(error: ServiceError | None) -> dict[str, str]:
    if error is None:
        return {}
    return dict(error.problems) if error.problems else {error.field or "": error.detail}


def _mode_named(to: str) -> Mode | None:
    if to == "inherit":
        return None
    if to not in tuple(Mode):
        raise BadInput("choose observe, enforce or inherit", code="bad_mode", field="to")
    return Mode(to)


async def _ask_mode(
    request: Request,
    ports: WebDeps,
    level: Level,
    owner: str,
    to: str,
    *,
    reason: str = "",
    error: ServiceError | None = None,
) -> Response:
    place = await _place(ports, level, owner)
    foreseen = await request.app.state.foresight.now()
    host = await find_host(ports.store, owner) if level is Level.HOST else None
    cluster_id = host.cluster_id if host else place.scope.ref
    clusters = [one for key, one in foreseen.clusters.items() if level is Level.GLOBAL or key == cluster_id]
    return render(
        request,
        "mode.html",
        status=error.status if error is not None else 200,
        section="settings" if level is Level.GLOBAL else "overview",
        place=place,
        level=level.value,
        to=to if to in (*Mode, "inherit") else Mode.OBSERVE.value,
        clusters=clusters,
        known=foreseen.at is not None,
        reason=reason,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
    )
