"""No cloud: the inventory in hostfence's own database says what runs where.

Effects are an operator's command, a webhook, or nothing.

A command gets JSON on stdin (``{"effect", "host", "address", "external_id", "vms"}``) and answers with its exit code;
JSON on stdout may name ``not_started`` VMs and what to restore (``earlier``). What it leaves running in its process
group is ended with it: hand longer work to a service manager. A webhook gets the same JSON by POST; 2xx is done.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from controller.cloud.base import EffectResult
from controller.cloud.hook_output import Output
from controller.domain.cloud import CloudHosts, CloudInventory
from controller.domain.evidence import CloudSays, DiskList, DiskTarget, Machine
from controller.domain.model import Host, Pool, PoolKind, Vm, VmKind

LONGEST_S = 15.0
"""Command and webhook together: with the look before it, a release stays within its step's lease."""

LAST_WORDS_S = 0.5
"""After a command has ended, for what it wrote to arrive; a child it left behind may hold the pipe open for ever."""

SAID = 500

_CHECKABLE = {PoolKind.FILE, PoolKind.RBD}

Inventory = Callable[[Host], Awaitable[tuple[list[Vm], list[Pool]] | None]]
"""The machines placed on a host and the pools of its cluster; None when they cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What to run or call for each effect (``quarantine``, ``unquarantine``, ``release``).

    Absent: nothing, which is done at once.

    Commands come from the controller's own configuration, never from the database.
    """

    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    webhook: str = ""

    def has(self, effect: str) -> bool:
        """True where anything is run or called for it."""
        return bool(self.webhook or self.commands.get(effect))


class Standalone:
    """Implements :class:`controller.cloud.base.Cloud`."""

    def __init__(self, inventory: Inventory, hooks: Hooks, *, longest_s: float = LONGEST_S) -> None:
        """``inventory``: what runs on a host, and the pools it sees; raises nothing."""
        self._inventory = inventory
        self._hooks = hooks
        self._longest_s = longest_s
        self._client = httpx.AsyncClient(trust_env=False, timeout=longest_s)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def disks(self, host: Host) -> DiskList:
        """From the inventory. One that cannot be read is *unknown*, never an empty list."""
        found = await self._inventory(host)
        return DiskList(known=False) if found is None else disk_list(*found)

    async def says(self, host: Host) -> CloudSays:
        """Nobody to ask."""
        del host
        return CloudSays.NONE

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`. Done in one go: what it replaces only the hook can tell."""
        del earlier
        return await self._do("quarantine", host, ())

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`."""
        return await self._do("unquarantine", host, (), earlier=earlier)

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`. The first call only says which machines the hook may start."""
        if machines and not progress and self._hooks.has("release"):
            begun = tuple(machine.id for machine in machines)
            return EffectResult(
                done=False, pending=True, said="about to call the hook", progress={"said": True}, begun=begun
            )
        return await self._do("release", host, tuple(machine.name for machine in machines))

    async def poll(self) -> CloudHosts:
        """Nobody to ask."""
        return CloudHosts(known=True)

    async def inventory(self) -> CloudInventory | None:
        """People keep it."""
        return None

    async def _do(self, effect: str, host: Host, vms: tuple[str, ...], *, earlier: str = "") -> EffectResult:
        told = {
            "effect": effect,
            "host": host.name,
            "host_id": host.id,
            "address": host.address,
            "external_id": host.external_id,
            "vms": list(vms),
            "earlier": earlier,
        }
        command = self._hooks.commands.get(effect)
        said, answer = f"nothing to do for {effect}", dict[str, Any]()
        until = asyncio.get_running_loop().time() + self._longest_s
        if command:
            done, said, answer = await _run(command, json.dumps(told).encode(), until=until)
            if not done:
                return EffectResult(done=False, said=said)
        if self._hooks.webhook:
            done, said = await self._call(told, until=until)
            if not done:
                return EffectResult(done=False, said=said)
        names = answer.get("not_started", [])
        return EffectResult(
            done=True,
            said=said,
            earlier=str(answer.get("earlier", "")),
            not_started=tuple(str(n) for n in names) if isinstance(names, list) else (),
        )

    async def _call(self, told: dict[str, Any], *, until: float) -> tuple[bool, str]:
        """Only the status counts: the body is not waited for."""
        try:
            async with asyncio.timeout_at(until):
                async with self._client.stream("POST", self._hooks.webhook, json=told) as response:
                    return response.is_success, f"webhook: HTTP {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return False, f"webhook: {type(error).__name__}: {error}"[:SAID]
        except TimeoutError:
            return False, "webhook: no answer in time"


def disk_list(vms: list[Vm], pools: list[Pool]) -> DiskList:
    """What an inventory says about one host, as evidence needs it."""
    by_id = {p.id: p for p in pools}
    targets: list[DiskTarget] = []
    uncheckable: list[str] = []
    for vm in vms:
        for disk in vm.disks:
            pool = by_id.get(disk.pool_id)
            if pool is None or pool.kind not in _CHECKABLE:
                uncheckable.append(vm.name)
            else:
                path = f"{pool.root}/{disk.path}" if pool.kind is PoolKind.RBD else disk.path
                targets.append(DiskTarget(vm_id=machine_id(vm), vm_name=vm.name, path=path, pool_root=pool.root))
    return DiskList(
        known=True,
        targets=tuple(targets),
        uncheckable=tuple(dict.fromkeys(uncheckable)),
        machines=tuple(machine_of(vm) for vm in vms),
        pool_roots=tuple(p.root for p in pools if p.kind is PoolKind.FILE),
    )


def machine_id(vm: Vm) -> str:
    """The cloud's id of it, or our own where no cloud gave one."""
    return vm.external_id or vm.id


def machine_of(vm: Vm) -> Machine:
    """An inventory's VM as a release needs it. What no user owns is always started again."""
    own = vm.kind is VmKind.USER
    return Machine(id=machine_id(vm), name=vm.name, kind=vm.kind, restart=vm.ha_enabled or not own)


async def _run(command: tuple[str, ...], told: bytes, *, until: float) -> tuple[bool, str, dict[str, Any]]:
    """Run one hook in a process group of its own, of which nothing outlives this call."""
    with Output() as out, Output() as err, os.fdopen(os.memfd_create("hook"), "w+b") as stdin:
        stdin.write(told)
        stdin.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=await out.open(),
                stderr=await err.open(),
                start_new_session=True,
                env={"PATH": os.defpath, "LANG": "C", "LC_ALL": "C"},
            )
        except OSError as error:
            return False, f"{command[0]}: {error.strerror}", {}
        out.started()
        err.started()
        try:
            async with asyncio.timeout_at(until):
                await process.wait()
            await asyncio.wait([out.ended, err.ended], timeout=LAST_WORDS_S)
        except TimeoutError:
            return False, f"{command[0]}: no answer in time", {}
        finally:
            await _end(process)
        text = " ".join(t for t in (out.text(), err.text()) if t)
        said = f"{command[0]}: exit {process.returncode}" + (f": {text[:SAID]}" if text else "")
        return process.returncode == 0, said, _json(out.text())


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the whole group and wait a moment for the command itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_S):
            await process.wait()


def _json(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
