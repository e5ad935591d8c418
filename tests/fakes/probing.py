"""Agents and shared storage as a test says they are; no time or chance of its own.

What every agent would see is one truth (:class:`FakeHost` and ``files``); what goes wrong on the way to one agent is
set on its host. Kept to the port's promise that nothing raises.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from controller.domain.evidence import Beat, FileState, PoolView, Reading, Report
from controller.domain.model import Host
from controller.domain.reasons import Reason
from controller.domain.watch import PoolSeen, Seen
from controller.probing.base import Question
from shared.enums import Reach, ReadingCode


@dataclass(slots=True)
class FakeHost:
    """One host's agent and heartbeat. ``silent_since``: seconds of the clock; None while the heartbeat is written."""

    boot_id: str
    reach: Reach = Reach.AGENT_ANSWERED
    """What its own address answers the controller."""
    reach_of_neighbors: Reach | None = None
    """What it answers the witnesses; None: the same."""
    silent_since: float | None = None
    withdrawn: bool = False
    failure: Reason | None = None
    """Set: as a witness it tells nothing."""
    storage_code: ReadingCode | None = None
    """Set: as a witness it cannot read any pool."""
    watching_since: float = 0.0
    """As a witness it knows of no movement before this second: its agent was restarted without its memory."""
    disputed: bool = False
    """Another host writes its heartbeat record too."""
    sees: dict[str, int] = field(default_factory=dict)
    """As a witness it sees these files so often written, whatever the others see."""

    @property
    def answers(self) -> bool:
        return self.reach is Reach.AGENT_ANSWERED


@dataclass(slots=True)
class FakeProbing:
    """Implements :class:`controller.probing.base.Probing` on ``hosts`` and ``writes`` (path -> how often written)."""

    clock: Callable[[], float]
    roots: tuple[str, ...] = ("/mnt/p1",)
    hosts: dict[str, FakeHost] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, Question]] = field(default_factory=list)
    """(witness, question), in order."""
    watched: list[str] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """Done once, when a witness is asked next: something happens in the middle of a look."""

    def add(self, host_id: str) -> FakeHost:
        return self.hosts.setdefault(host_id, FakeHost(boot_id=f"boot-1-of-{host_id}"))

    def die(self, host_id: str) -> None:
        """As if the power had gone: no agent, no heartbeat, no kernel."""
        self.hosts[host_id].reach = Reach.NO_ANSWER
        self.hosts[host_id].silent_since = self.clock()

    def lose_agent(self, host_id: str, reach: Reach = Reach.KERNEL_ANSWERS) -> None:
        """Only the agent's HTTP service; the heartbeat goes on."""
        self.hosts[host_id].reach = reach

    def live(self, host_id: str, *, boot_id: str | None = None) -> None:
        one = self.hosts[host_id]
        one.reach, one.silent_since, one.boot_id = Reach.AGENT_ANSWERED, None, boot_id or one.boot_id

    def write(self, path: str) -> None:
        self.writes[path] = self.writes.get(path, 0) + 1

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        del deadline_s
        self.asked.append((witness.id, question))
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        one = self.hosts[witness.id]
        if not one.answers or one.failure is not None:
            return Report(witness_id=witness.id, failure=one.failure or Reason.WITNESS_SILENT)
        subject = self.hosts[question.subject.id]
        return Report(
            witness_id=witness.id,
            boot_id=one.boot_id,
            readings=tuple(self._reading(path, one) for path in question.paths),
            pools=tuple(
                PoolView(
                    root=root,
                    code=one.storage_code,
                    own=self._beat(witness.id, one),
                    subject=self._beat(question.subject.id, one),
                )
                for root in question.pool_roots
            ),
            reach=subject.reach if subject.reach_of_neighbors is None else subject.reach_of_neighbors,
        )

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        del deadline_s
        self.watched.append(host.id)
        one = self.hosts[host.id]
        if not one.answers:
            return Seen(host_id=host.id, reach=one.reach)
        others = {other: self._beat(other, one) for other in self.hosts if other != host.id}
        pools = tuple(PoolSeen(root=r, readable=True, own=self._beat(host.id, one), others=others) for r in self.roots)
        return Seen(host_id=host.id, reach=one.reach, boot_id=one.boot_id, pools=pools)

    def _beat(self, host_id: str, witness: FakeHost) -> Beat:
        one, now = self.hosts[host_id], self.clock()
        moved_at = now if one.silent_since is None else one.silent_since
        return Beat(
            known=True,
            boot_id=one.boot_id,
            counter=int(moved_at * 10),
            withdrawn=one.withdrawn,
            disputed=one.disputed,
            moved_age=now - moved_at if moved_at >= witness.watching_since else None,
            sampled_age=0.0,
        )

    def _reading(self, path: str, witness: FakeHost) -> Reading:
        if witness.storage_code is not None:
            return Reading(path=path, state=None, code=witness.storage_code)
        times = witness.sees.get(path, self.writes.get(path, 0))
        state = FileState(device="8:1", inode=1, size=4096, blocks=8, mtime_ns=times, ctime_ns=times)
        return Reading(path=path, state=state)
