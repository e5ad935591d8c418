"""A cloud that says and does what a test tells it to, and writes down what was asked of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.cloud.base import EffectResult
from controller.domain.cloud import CloudHosts, CloudInventory
from controller.domain.evidence import CloudSays, DiskList, DiskTarget, Machine
from controller.domain.model import Host

DONE = EffectResult(done=True, said="done")
FAILED = EffectResult(done=False, said="the cloud said no")


def one_vm(host_id: str, root: str = "/mnt/p1") -> DiskList:
    """One machine with one disk, which a new :class:`FakeCloud` places on every host."""
    name = f"vm-of-{host_id}"
    target = DiskTarget(vm_id=name, vm_name=name, path=f"{root}/{name}.qcow2", pool_root=root)
    return DiskList(known=True, targets=(target,), machines=(Machine(id=name, name=name),), pool_roots=(root,))


@dataclass(slots=True)
class FakeCloud:
    """Implements :class:`controller.cloud.base.Cloud`."""

    placed: dict[str, DiskList] = field(default_factory=dict)
    opinion: CloudSays = CloudSays.NONE
    results: dict[str, list[EffectResult]] = field(default_factory=dict)
    """Effect name -> answers, used up first to last; then done."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """(effect name, host id), in order."""
    earlier_given: list[str] = field(default_factory=list)
    """To undo quarantines."""
    found_given: list[str] = field(default_factory=list)
    """To quarantines."""
    released: list[tuple[str, ...]] = field(default_factory=list)
    progress_given: list[dict[str, Any]] = field(default_factory=list)
    hosts: CloudHosts = field(default_factory=lambda: CloudHosts(known=True))
    everything: CloudInventory | None = None
    during: Callable[[str], object] | None = None
    closed: bool = False

    def answer(self, effect: str, *results: EffectResult) -> None:
        self.results.setdefault(effect, []).extend(results)

    def did(self, effect: str) -> int:
        return sum(1 for name, _ in self.calls if name == effect)

    async def disks(self, host: Host) -> DiskList:
        return self.placed.get(host.id) or one_vm(host.id)

    async def says(self, host: Host) -> CloudSays:
        del host
        return self.opinion

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        self.found_given.append(earlier)
        return self._do("quarantine", host)

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        self.earlier_given.append(earlier)
        return self._do("unquarantine", host)

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        self.released.append(tuple(machine.name for machine in machines))
        self.progress_given.append(progress)
        return self._do("release", host)

    async def poll(self) -> CloudHosts:
        return self.hosts

    async def inventory(self) -> CloudInventory | None:
        return self.everything

    async def aclose(self) -> None:
        self.closed = True

    def _do(self, effect: str, host: Host) -> EffectResult:
        self.calls.append((effect, host.id))
        if self.during is not None:
            self.during(effect)
        left = self.results.get(effect)
        return left.pop(0) if left else DONE
