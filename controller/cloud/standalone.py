"""No cloud: the inventory in hostfence's own database says what runs where.

Effects are an operator's command, a webhook, or nothing.

A command gets JSON on stdin (``{"effect", "host", "address", "external_id", "vms"}``) and answers with its exit code;
JSON on stdout may name ``not_started`` VMs and what to restore (``earlier``). A webhook gets the same JSON by POST;
2xx is done.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from controller.cloud.base import EffectResult
from controller.domain.evidence import CloudSays, DiskList, DiskTarget
from controller.domain.model import Host, Pool, PoolKind, Vm

LONGEST_S = 20.0
KEPT_OUTPUT = 64 * 1024
SAID = 500


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


class Standalone:
    """Implements :class:`controller.cloud.base.Cloud`."""

    def __init__(self, inventory: Inventory, hooks: Hooks) -> None:
        """``inventory``: what runs on a host, and the pools it sees; raises nothing."""
        self._inventory = inventory
        self._hooks = hooks
        self._client = httpx.AsyncClient(trust_env=False, timeout=LONGEST_S)

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

    async def quarantine(self, host: Host) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`."""
        return await self._do("quarantine", host, ())

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`."""
        return await self._do("unquarantine", host, (), earlier=earlier)

    async def release(self, host: Host, vms: tuple[str, ...]) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud`."""
        return await self._do("release", host, vms)

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
        if command:
            done, said, answer = await _run(command, json.dumps(told).encode())
            if not done:
                return EffectResult(done=False, said=said)
        if self._hooks.webhook:
            done, said = await self._call(told)
            if not done:
                return EffectResult(done=False, said=said)
        names = answer.get("not_started", [])
        return EffectResult(
            done=True,
            said=said,
            earlier=str(answer.get("earlier", "")),
            not_started=tuple(str(n) for n in names) if isinstance(names, list) else (),
        )

    async def _call(self, told: dict[str, Any]) -> tuple[bool, str]:
        try:
            response = await self._client.post(self._hooks.webhook, json=told)
        except httpx.HTTPError as error:
            return False, f"webhook: {type(error).__name__}: {error}"[:SAID]
        return response.is_success, f"webhook: HTTP {response.status_code}"


def disk_list(vms: list[Vm], pools: list[Pool]) -> DiskList:
    """What an inventory says about one host, as evidence needs it."""
    by_id = {p.id: p for p in pools}
    targets: list[DiskTarget] = []
    uncheckable: list[str] = []
    for vm in vms:
        for disk in vm.disks:
            pool = by_id.get(disk.pool_id)
            if pool is None or pool.kind is not PoolKind.FILE:
                uncheckable.append(vm.name)
            else:
                targets.append(DiskTarget(vm_id=vm.id, vm_name=vm.name, path=disk.path, pool_root=pool.root))
    return DiskList(
        known=True,
        targets=tuple(targets),
        uncheckable=tuple(dict.fromkeys(uncheckable)),
        vms=tuple(vm.name for vm in vms),
        pool_roots=tuple(p.root for p in pools if p.kind is PoolKind.FILE),
    )


async def _run(command: tuple[str, ...], told: bytes) -> tuple[bool, str, dict[str, Any]]:
    """Run one hook in a process group of its own; nothing of it outlives the deadline."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.defpath, "LANG": "C", "LC_ALL": "C"},
        )
    except OSError as error:
        return False, f"{command[0]}: {error.strerror}", {}
    try:
        async with asyncio.timeout(LONGEST_S):
            output, _ = await process.communicate(told)
    except TimeoutError:
        _kill(process.pid)
        return False, f"{command[0]}: no answer within {LONGEST_S:.0f} s", {}
    text = output[:KEPT_OUTPUT].decode(errors="replace").strip()
    said = f"{command[0]}: exit {process.returncode}" + (f": {text[:SAID]}" if text else "")
    return process.returncode == 0, said, _json(text)


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _json(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
