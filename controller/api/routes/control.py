"""Pauses, tokens, the audit, what every reason means, and who the caller is."""

from typing import Annotated

from fastapi import APIRouter, Path

from controller.api.auth import Admin, Anyone, Operator, Viewer
from controller.api.deps import Ports
from controller.api.routes.paging import Cursor, Limit
from controller.api.schemas.control import PauseIn, PauseOut, PrincipalOut, TokenIn, TokenOut, TokenWithText
from controller.api.schemas.incidents import Because
from controller.api.schemas.records import AuditPage, ReasonOut
from controller.domain.reasons import Reason
from controller.services import access, history, pauses

router = APIRouter()
Id = Annotated[str, Path(max_length=64)]


@router.get("/whoami", tags=["access"])
async def who_am_i(caller: Anyone) -> PrincipalOut:
    """Whose token this is, and its role."""
    return PrincipalOut.model_validate(caller)


@router.get("/tokens", tags=["access"])
async def list_tokens(ports: Ports, caller: Admin) -> list[TokenOut]:
    """All tokens, the revoked ones too; their texts are nowhere."""
    del caller
    return [TokenOut.model_validate(one) for one in await access.list_tokens(ports.store)]


@router.post("/tokens", tags=["access"], status_code=201)
async def create_token(ports: Ports, caller: Admin, body: TokenIn) -> TokenWithText:
    """Make a token. The answer holds its text, this once."""
    made, text = await access.create_token(ports.store, ports.clock, name=body.name, role=body.role, actor=caller.name)
    return TokenWithText(**TokenOut.model_validate(made).model_dump(), token=text)


@router.delete("/tokens/{token_id}", tags=["access"], status_code=204)
async def revoke_token(ports: Ports, caller: Admin, token_id: Id) -> None:
    """Make a token worthless from now on."""
    await access.revoke_token(ports.store, ports.clock, token_id, actor=caller.name)


@router.get("/pauses", tags=["pauses"])
async def list_pauses(ports: Ports, caller: Viewer, *, active: bool = True) -> list[PauseOut]:
    """Those that hold now; with ``active=false`` the expired ones too."""
    del caller
    found = await pauses.list_pauses(ports.store, ports.clock, active=active)
    return [PauseOut.model_validate(one) for one in found]


@router.post("/pauses", tags=["pauses"], status_code=201)
async def create_pause(ports: Ports, caller: Operator, body: PauseIn) -> PauseOut:
    """Pause fencing at a level, an hour unless said otherwise."""
    made = await pauses.create_pause(ports.store, ports.clock, body.new(), actor=caller.name)
    return PauseOut.model_validate(made)


@router.post("/pauses/{pause_id}/lift", tags=["pauses"])
async def lift_pause(ports: Ports, caller: Operator, pause_id: Id, body: Because) -> PauseOut:
    """End a pause now."""
    lifted = await pauses.lift_pause(ports.store, ports.clock, pause_id, reason=body.reason, actor=caller.name)
    return PauseOut.model_validate(lifted)


@router.get("/audit", tags=["audit"])
async def list_audit(ports: Ports, caller: Viewer, cursor: Cursor = None, limit: Limit = 100) -> AuditPage:
    """Who changed what, newest first, in pages."""
    del caller
    return AuditPage.model_validate(await history.audit(ports.store, cursor=cursor, limit=limit))


@router.get("/reasons", tags=["incidents"])
async def list_reasons(caller: Viewer) -> list[ReasonOut]:
    """Every reason hostfence can give: what it means to the person on call, and what to do."""
    del caller
    return [ReasonOut.of(one) for one in Reason]
