"""What a person can do in an incident: each a page that asks, shown in the dialog, and a form that does it.

Carries rule 1 as far as a page can: who acknowledges has seen the live evidence first. The service decides again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.domain.model import Role
from controller.services.changes import checked_reason
from controller.services.errors import BadInput, Forbidden, Refused, ServiceError
from controller.services.hosts import list_hosts
from controller.services.incident_story import Head, read_head
from controller.services.sessions import SignedIn
from controller.web.deps import Operator, Ports, WebDeps
from controller.web.flash import done
from controller.web.rendering import render
from controller.web.views.live_evidence import evidence_view

router = APIRouter(prefix="/incidents/{incident_id}")
_Reason = Annotated[str, Form(max_length=2000)]
_Typed = Annotated[str, Form(max_length=255)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """How one of them asks. ``says``: what it will do, and what not."""

    path: str
    title: str
    button: str
    says: tuple[str, ...]


def _cancel_act(head: Head) -> Act:
    """No name to type: stopping must be quick."""
    name = _name(head)
    return Act(
        path="cancel",
        title=f"Cancel the incident of {name}",
        button="End it without action",
        says=(
            "hostfence ends this incident and does nothing to the host: no power command, no release. "
            + ("The quarantine is undone. " if head.incident.quarantined else "")
            + "If the host is dead, its machines stay down until somebody starts them.",
            "Its next silence opens no incident until it has been seen healthy, or somebody re-arms it.",
        ),
    )


def _retry_act(head: Head) -> Act:
    name = _name(head)
    if head.incident.command.may_have_been_sent:
        says = (
            "A power command was sent, or may have been: hostfence goes back to reading the power state, and sends "
            "nothing by that. When off is proven, its machines are released."
        )
        return Act(path="retry", title=f"Read the power of {name} again", button="Read again", says=(says,))
    says = (
        "hostfence checks from the start, with no round counted. What held it until now does not hold it again for "
        "the same cause. If the host is found dead long enough and no safeguard stands against it, the action that is "
        "set up follows: its power may be cut."
    )
    return Act(path="retry", title=f"Check {name} again", button="Check from the start", says=(says,))


@router.get("/cancel")
async def ask_to_cancel(request: Request, ports: Ports, who: Operator, incident_id: str) -> Response:
    """Whether and why."""
    del who
    return await _ask(request, ports, incident_id, _cancel_act)


@router.post("/cancel")
async def cancel(request: Request, ports: Ports, who: Operator, incident_id: str, reason: _Reason = "") -> Response:
    """Do it."""

    async def act(why: str) -> str:
        await ports.operations.cancel(incident_id, reason=why, actor=who.name)
        return "Cancelled: nothing is done to the host."

    return await _do(request, ports, incident_id, _cancel_act, act, reason=reason)


@router.get("/retry")
async def ask_to_retry(request: Request, ports: Ports, who: Operator, incident_id: str) -> Response:
    """Whether and why."""
    del who
    return await _ask(request, ports, incident_id, _retry_act)


@router.post("/retry")
async def retry(request: Request, ports: Ports, who: Operator, incident_id: str, reason: _Reason = "") -> Response:
    """Do it."""

    async def act(why: str) -> str:
        now = await ports.operations.retry(incident_id, reason=why, actor=who.name)
        return f"Taken up again: the incident is {now.state} now."

    return await _do(request, ports, incident_id, _retry_act, act, reason=reason)


@router.get("/acknowledge")
async def ask_to_acknowledge(request: Request, ports: Ports, who: Operator, incident_id: str) -> Response:
    """Look at the host now, show what was seen, and ask."""
    return await _ask_to_acknowledge(request, ports, who, incident_id)


@router.post("/acknowledge")
async def acknowledge(
    request: Request,
    ports: Ports,
    who: Operator,
    incident_id: str,
    reason: _Reason = "",
    host_name: _Typed = "",
    second_admin: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Do it, or show the look that stands against it."""
    try:
        if second_admin and who.role is not Role.ADMIN:
            raise Forbidden("against moving disks the second person must be an admin", code="role_needed")
        await ports.operations.acknowledge(
            incident_id,
            host_name=host_name.strip(),
            reason=checked_reason(reason),
            actor=who.name,
            second_admin=bool(second_admin),
        )
    except (BadInput, Refused) as error:
        return await _ask_to_acknowledge(request, ports, who, incident_id, reason=reason, typed=host_name, error=error)
    return done(request, f"/incidents/{incident_id}", "Acknowledged: its machines are being released.", tone="warn")


async def _ask_to_acknowledge(
    request: Request,
    ports: WebDeps,
    who: SignedIn,
    incident_id: str,
    *,
    reason: str = "",
    typed: str = "",
    error: ServiceError | None = None,
) -> Response:
    seen = await ports.operations.live_evidence(incident_id)
    head = await read_head(ports.store, incident_id)
    names = {one.id: one.name for one in await list_hosts(ports.store)}
    return render(
        request,
        "incident_acknowledge.html",
        section="incidents",
        status=error.status if error is not None else 200,
        now=await ports.clock.now(),
        id=incident_id,
        name=_name(head),
        seen=evidence_view(seen, names, actor=who.name, admin=who.role is Role.ADMIN),
        seen_at=seen.at,
        machines=[one.name for one in head.incident.machines],
        reason=reason,
        typed=typed,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
    )


async def _ask(
    request: Request,
    ports: WebDeps,
    incident_id: str,
    act: Callable[[Head], Act],
    *,
    reason: str = "",
    error: ServiceError | None = None,
) -> Response:
    head = await read_head(ports.store, incident_id)
    return render(
        request,
        "incident_act.html",
        section="incidents",
        status=error.status if error is not None else 200,
        now=await ports.clock.now(),
        id=incident_id,
        act=act(head),
        reason=reason,
        error=error.detail if error is not None else "",
        error_field=(error.field or "") if error is not None else "",
        against=error.reasons if error is not None else (),
    )


async def _do(
    request: Request,
    ports: WebDeps,
    incident_id: str,
    act: Callable[[Head], Act],
    deed: Callable[[str], Awaitable[str]],
    *,
    reason: str,
) -> Response:
    try:
        said = await deed(checked_reason(reason))
    except (BadInput, Refused) as error:
        return await _ask(request, ports, incident_id, act, reason=reason, error=error)
    return done(request, f"/incidents/{incident_id}", said)


def _name(head: Head) -> str:
    return head.host.name if head.host is not None else head.incident.host_id
