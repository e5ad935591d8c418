"""What an explanation is made from: one host among its neighbors at one moment, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.evidence import DiskList
from controller.domain.incident import Incident
from controller.domain.model import Host
from controller.domain.mounts import MountNote
from controller.domain.neighbors import Choice
from controller.domain.policy import Policy
from controller.domain.safeguards import ClusterFacts
from controller.domain.watch import Seen

ANSWERS_ARE_GOOD_FOR = timedelta(seconds=15)
"""An agent's newest answer is taken for what it would say now; older ones are no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One host among its neighbors at one moment.

    ``facts``: the safeguards' facts with each of the policy's power devices, in their order. ``seen``: the newest
    answers of the cluster's agents that are good still, by host id. ``looked``: this controller has asked at all.
    """

    now: datetime
    policy: Policy
    facts: tuple[ClusterFacts, ...]
    witnesses: Choice
    disks: DiskList
    seen: Mapping[str, Seen]
    looked: bool = True
    incident: Incident | None = None
    mounts: tuple[tuple[str, MountNote], ...] = ()
    restarts_after_s: float | None = None
    fences_before: int = 0

    @property
    def host(self) -> Host:
        """Whom it is about."""
        return self.facts[0].host

    @property
    def answers(self) -> bool:
        """True while the host's own agent answers."""
        return self.host.id in self.seen and self.seen[self.host.id].answered
