"""A schedule as data: the site, its settings, and what goes wrong when. Made from a seed, or written by hand."""

from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

SAYS_WHICH = {"pool": 1, "fault": 1, "bmc": 1, "setting": 0, "technician": 1, "manual": 1, "mark_host": 1}
"""Kinds of many faces, and the argument that names them."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens at ``at`` seconds: ``kind`` is a method of :class:`tests.simulation.mishaps.Mishaps`."""

    at: float
    kind: str
    args: tuple[Any, ...] = ()

    @property
    def label(self) -> str:
        """The kind and, where that tells mishaps apart, which."""
        which = SAYS_WHICH.get(self.kind)
        return self.kind if which is None else f"{self.kind} {self.args[which]}"

    @override
    def __str__(self) -> str:
        return f"{self.at:8.2f}  {self.kind}{self.args!r}"


FAST: dict[str, Any] = {
    "mode": "enforce",
    "action": "off",
    "check_interval": 5,
    "additional_checks": 2,
    "min_silence": 30,
    "heartbeat_interval": 2,
    "watch_timeout": 8,
    "grace": 2,
    "startup_quiet": 10,
    "storm_cooldown": 30,
    "vanish_window": 8,
    "off_reads": 2,
    "read_spacing": 2,
    "off_deadline": 15,
    "bmc_settle": 12,
    "checking_limit": 60,
    "healthy_for": 20,
    "max_actions": 3,
    "action_window": 120,
    "global_max_actions": 10,
    "global_action_window": 120,
}
"""Settings near the lower ends of their ranges, so that a story takes minutes of virtual time, not hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One schedule. ``seed`` also decides the small things (latencies, phases)."""

    seed: int
    hosts: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"c1": ("h1", "h2", "h3", "h4")})
    """Cluster -> its hosts."""
    pools: int = 1
    guests: int = 1
    writers: int = 50
    """Percent of guests that write all the time."""
    settings: dict[str, Any] = field(default_factory=lambda: dict(FAST))
    cloud_opinions: bool = False
    cloud_notices_after_s: float = 40.0
    """So long the cloud goes on saying *Up* of a host that has fallen silent."""
    slow_release: bool = False
    """The cloud starts a host's machines elsewhere one after the other."""
    controllers: int = 1
    second_devices: bool = False
    """Every host has a second power device."""
    mishaps: tuple[Mishap, ...] = ()
    ends_at: float = 240.0
    liveness: bool = False
    """After all mishaps everything is mended, one healthy host is killed, and it must be fenced in time."""

    @override
    def __str__(self) -> str:
        head = (
            f"seed {self.seed}: {self.hosts}, {self.pools} pools, {self.controllers} controllers, "
            f"cloud opinions {self.cloud_opinions}, ends at {self.ends_at:.0f} s"
            + (", second devices" if self.second_devices else "")
            + (", slow release" if self.slow_release else "")
            + (", then everything is mended and one host dies" if self.liveness else "")
        )
        differs = {k: v for k, v in self.settings.items() if FAST.get(k) != v}
        return "\n".join([head, f"settings besides the fast ones: {differs}", *(str(m) for m in self.mishaps)])
