"""The port to the cloud: where VMs are, what the cloud thinks of a host, keeping it out, letting its VMs go.

Contract: nothing raises for what the cloud or the network did: ``disks`` answers ``known=False``, ``says`` answers
``unreachable``, the effects answer ``done=False`` with what was said. Every effect is idempotent: it may be called
again after a crash at any point.
"""

from dataclasses import dataclass
from typing import Protocol

from controller.domain.evidence import CloudSays, DiskList
from controller.domain.model import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectResult:
    """What became of one side effect. ``earlier``: what to restore when it is undone."""

    done: bool
    said: str = ""
    earlier: str = ""
    not_started: tuple[str, ...] = ()
    """Names of VMs that did not start elsewhere (release)."""


class Cloud(Protocol):
    """One cloud."""

    async def disks(self, host: Host) -> DiskList:
        """The host's VMs and disks as placed now; asked before every round."""
        ...

    async def says(self, host: Host) -> CloudSays:
        """The cloud's opinion of the host."""
        ...

    async def quarantine(self, host: Host) -> EffectResult:
        """Keep the host out of scheduling, and the cloud's own restart from racing."""
        ...

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        """Restore what :meth:`quarantine` changed."""
        ...

    async def release(self, host: Host, vms: tuple[str, ...]) -> EffectResult:
        """Let the host's VMs start elsewhere. Only ever called after proof of off or an acknowledgement (rule 1)."""
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...
