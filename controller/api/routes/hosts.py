"""Hosts and the VMs on them. A host is named by its id, its external id or its name."""

from typing import Annotated

from fastapi import APIRouter, Body

from controller.api.auth import Admin, Operator, Viewer
from controller.api.deps import Ports
from controller.api.schemas.inventory import HostDetail, HostIn, HostOut, HostPatch, HostWithToken, VmBody, VmIn, VmOut
from controller.services import hosts, sights, vms

router = APIRouter(prefix="/hosts", tags=["hosts"])


@router.get("")
async def list_hosts(ports: Ports, caller: Viewer, cluster: str | None = None) -> list[HostOut]:
    """All, or those of one cluster, by name."""
    del caller
    return [HostOut.model_validate(one) for one in await hosts.list_hosts(ports.store, cluster=cluster)]


@router.post("", status_code=201)
async def create_host(ports: Ports, caller: Admin, body: HostIn) -> HostWithToken:
    """Add a host. The answer holds the secret for its agent, this once."""
    made = await hosts.create_host(ports.store, ports.clock, body.new(), actor=caller.name)
    return HostWithToken.model_validate(made)


@router.get("/{host}")
async def get_host(ports: Ports, caller: Viewer, host: str) -> HostDetail:
    """One host, what is remembered of it, and what its agent says of its storage."""
    del caller
    found, health = await hosts.host_with_health(ports.store, host)
    return HostDetail.of(found, health, await sights.storage_of(ports.store, ports.sights, found))


@router.patch("/{host}")
async def update_host(ports: Ports, caller: Admin, host: str, body: HostPatch) -> HostOut:
    """Change what the body names."""
    changed = await hosts.update_host(ports.store, ports.clock, host, body.changes(), actor=caller.name)
    return HostOut.model_validate(changed)


@router.delete("/{host}", status_code=204)
async def delete_host(ports: Ports, caller: Admin, host: str) -> None:
    """Forget a host that has no open incident."""
    await hosts.delete_host(ports.store, ports.clock, host, actor=caller.name)


@router.post("/{host}/agent-token")
async def rotate_agent_token(ports: Ports, caller: Admin, host: str) -> HostWithToken:
    """Make a new secret for the host's agent; the old one is worth nothing from now on."""
    made = await hosts.rotate_agent_token(ports.store, ports.clock, host, actor=caller.name)
    return HostWithToken.model_validate(made)


@router.get("/{host}/vms", tags=["vms"])
async def list_vms(ports: Ports, caller: Viewer, host: str) -> list[VmOut]:
    """The VMs the inventory places on the host."""
    del caller
    return [VmOut.model_validate(one) for one in await vms.list_vms(ports.store, host)]


@router.put("/{host}/vms", tags=["vms"])
async def replace_vms(
    ports: Ports, caller: Operator, host: str, body: Annotated[list[VmIn], Body(max_length=2000)]
) -> list[VmOut]:
    """Make the list of the host's VMs exactly this one."""
    made = await vms.replace_vms(ports.store, ports.clock, host, [one.new() for one in body], actor=caller.name)
    return [VmOut.model_validate(one) for one in made]


@router.put("/{host}/vms/{vm}", tags=["vms"])
async def put_vm(ports: Ports, caller: Operator, host: str, vm: str, body: VmBody) -> VmOut:
    """Add a VM of this name to the host, or replace the one it has."""
    made = await vms.put_vm(ports.store, ports.clock, host, body.named(vm), actor=caller.name)
    return VmOut.model_validate(made)


@router.delete("/{host}/vms/{vm}", tags=["vms"], status_code=204)
async def delete_vm(ports: Ports, caller: Operator, host: str, vm: str) -> None:
    """Take a VM out of the host's list."""
    await vms.delete_vm(ports.store, ports.clock, host, vm, actor=caller.name)
