"""Settings and mode at each level: what is written there, what holds there and why, and changing it.

The three levels have the same routes; they are made from one list, so that they can't drift apart.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from controller.api.auth import Admin, Viewer
from controller.api.deps import Ports
from controller.api.schemas.control import EffectiveOut, Fields, ModeIn, SettingOut
from controller.domain.catalogue import CATALOGUE
from controller.domain.model import Level
from controller.services import settings
from controller.services.settings import Scope

router = APIRouter(tags=["settings"])


@router.get("/settings/catalogue")
async def list_settings(caller: Viewer) -> list[SettingOut]:
    """Every setting there is: where it may be written, its default and its range."""
    del caller
    return [SettingOut.model_validate(one) for one in CATALOGUE.values()]


def _global_scope() -> Scope:
    return Scope(level=Level.GLOBAL)


def _cluster_scope(cluster: str) -> Scope:
    return Scope(level=Level.CLUSTER, ref=cluster)


def _host_scope(host: str) -> Scope:
    return Scope(level=Level.HOST, ref=host)


async def _write(ports: Ports, caller: Admin, scope: Scope, body: Fields, *, replace: bool) -> dict[str, Any]:
    return await settings.write_settings(
        ports.store, ports.clock, scope, body, replace=replace, rules=ports.device_rules, actor=caller.name
    )


def _add_level(path: str, level: Level, scope_of: Any) -> None:
    at = Annotated[Scope, Depends(scope_of)]
    values = Annotated[Fields, Body(description="setting name to value; null inherits")]

    @router.get(f"{path}/settings", name=f"get_{level}_settings")
    async def get_written(ports: Ports, caller: Viewer, scope: at) -> dict[str, Any]:
        """What is written at this level, and nothing inherited. Secrets say only whether they are set."""
        del caller
        return await settings.written_settings(ports.store, scope)

    @router.get(f"{path}/settings/effective", name=f"get_{level}_effective_settings")
    async def get_effective(ports: Ports, caller: Viewer, scope: at) -> dict[str, EffectiveOut]:
        """Every setting as it holds here, with the level it comes from."""
        del caller
        found = await settings.effective_settings(ports.store, scope)
        return {name: EffectiveOut.model_validate(one) for name, one in found.items()}

    @router.patch(f"{path}/settings", name=f"patch_{level}_settings")
    async def patch(ports: Ports, caller: Admin, scope: at, body: values) -> dict[str, Any]:
        """Write the fields that are named; null inherits again; the rest stays."""
        return await _write(ports, caller, scope, body, replace=False)

    @router.put(f"{path}/settings", name=f"put_{level}_settings")
    async def put(ports: Ports, caller: Admin, scope: at, body: values) -> dict[str, Any]:
        """Write exactly these fields; the rest inherits, except secrets and mode: they stay until they are named."""
        return await _write(ports, caller, scope, body, replace=True)

    @router.get(f"{path}/mode", name=f"get_{level}_mode")
    async def get_mode(ports: Ports, caller: Viewer, scope: at) -> EffectiveOut:
        """The mode that holds here, and the level it comes from."""
        del caller
        return EffectiveOut.model_validate((await settings.effective_settings(ports.store, scope))["mode"])

    @router.put(f"{path}/mode", name=f"put_{level}_mode")
    async def put_mode(ports: Ports, caller: Admin, scope: at, body: ModeIn) -> EffectiveOut:
        """Arm or disarm this level, with a reason. Answers what holds here then: the strictest level wins."""
        found = await settings.set_mode(
            ports.store,
            ports.clock,
            scope,
            body.mode,
            reason=body.reason,
            rules=ports.device_rules,
            actor=caller.name,
        )
        return EffectiveOut.model_validate(found)


_add_level("", Level.GLOBAL, _global_scope)
_add_level("/clusters/{cluster}", Level.CLUSTER, _cluster_scope)
_add_level("/hosts/{host}", Level.HOST, _host_scope)
