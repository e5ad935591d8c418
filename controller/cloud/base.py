"""The port to the cloud: where VMs are, what the cloud thinks of a host, keeping it out, letting its VMs go.

Contract: nothing but ``inventory`` raises for what the cloud or the network did: ``disks`` and ``poll`` answer
``known=False``, ``says`` answers ``unreachable``, the effects answer ``done=False`` with what was said. Every effect is
idempotent: it may be called again after a crash at any point.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.domain.cloud import CloudHosts, CloudInventory
from controller.domain.evidence import CloudSays, DiskList, Machine
from controller.domain.model import Host


class CloudUnreadableError(Exception):
    """The cloud did not answer, or not with what was asked for; its text says what and why, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectResult:
    """What became of one side effect. ``earlier``: what to restore when it is undone."""

    done: bool
    said: str = ""
    earlier: str = ""
    not_started: tuple[str, ...] = ()
    """Names of VMs that did not start elsewhere (release)."""
    pending: bool = False
    """Nothing failed, but there is more to do: call again, with ``progress`` (release) or ``earlier`` (quarantine)."""
    progress: dict[str, Any] = field(default_factory=dict)
    """The adapter's own notes, as JSON."""
    begun: tuple[str, ...] = ()
    """Ids of the VMs that may run elsewhere by now (release)."""


class Cloud(Protocol):
    """One cloud."""

    async def disks(self, host: Host) -> DiskList:
        """The host's VMs and disks as placed now; asked before every round."""
        ...

    async def says(self, host: Host) -> CloudSays:
        """The cloud's opinion of the host."""
        ...

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        """Keep the host out of scheduling, and the cloud's own restart from racing.

        ``earlier``: what the call before has found; "" at the first. That one may only say what it is about to replace
        (``pending``, ``earlier``) and is called again at once: it is stored in between, so that whoever crashes
        afterwards, or never hears the answer, restores it all the same.
        """
        ...

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        """Restore what :meth:`quarantine` changed."""
        ...

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        """Let the host's VMs start elsewhere. Only ever called after proof of off or an acknowledgement (rule 1).

        Within some seconds: what takes longer is ``pending`` and called again, with a look for life in between.
        """
        ...

    async def poll(self) -> CloudHosts:
        """What the cloud says of all its hosts now. Without a cloud: nothing, ``known``."""
        ...

    async def inventory(self) -> CloudInventory | None:
        """Everything the cloud manages, read anew; None without a cloud, where people keep the inventory.

        Raises:
            CloudUnreadableError: some of it could not be read; nothing may be concluded from the rest.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...
