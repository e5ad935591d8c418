"""The rules that are judged at the instant a power command or a release takes effect: 1, 2, 3, 4, 5, 8, 9, 10.

Judged from what is true and what was really answered, not from the engine's own conclusions.
"""

from controller.domain.evidence import Verdict
from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, EffectKind, EffectStatus
from controller.domain.policy import Mode, Policy
from controller.domain.power import PowerAction, PowerState
from shared.enums import Reach
from tests.fakes.power import Entry
from tests.simulation.facts import COUNTS_AFTER_S, Facts, RoundAt
from tests.simulation.ports import SENDER
from tests.simulation.process import Process

OFF_READ_WITHIN_S = 30.0
SENT_WITHIN_S = 5.5
SLACK_S = 0.5
EFFECT_WITHIN_S = 15.5
"""The longest that one call to the cloud may take."""
LONGEST_LOOK_S = 10.0
"""Rounds are known by their commit: two looks may have been that much closer or farther apart."""


class ActingRules:
    """Judges what reaches the outside."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    # -- power

    def on_command(self, entry: Entry) -> None:
        """A state-changing command took effect at a device."""
        f, u = self.facts, self.facts.universe
        host_id = u.identities[entry.identity]
        u.note(f"bmc-{host_id}", f"obeys {entry.action}", f"machine {entry.machine}")
        if u.power.overlapping_commands:
            f.breach("4", f"two commands in flight at {entry.identity}")
        attempt = next(
            (
                a
                for a in f.tables.attempts.values()
                if a.finished_at is None and a.bmc_identity == entry.identity and a.action is entry.action
            ),
            None,
        )
        if attempt is None and f.replaced_at is not None and u.now() - f.replaced_at <= SENT_WITHIN_S + SLACK_S:
            return  # it was on its way, and its intent is gone with the rest
        if attempt is None:
            f.breach("8", f"{entry.action} reached the BMC of {host_id} without a stored intent that is still open")
            return
        if any(_at_once(a, attempt) for a in f.tables.attempts.values() if a.id != attempt.id):
            f.breach("4", f"another intent for {host_id} or its BMC is open, or was when this one was stored")
        if not entry.action.destructive:
            return
        if attempt.automatic:
            self._automatic(entry, attempt)
        f.sent.append((u.now(), attempt))

    def _automatic(self, entry: Entry, attempt: Attempt) -> None:
        f = self.facts
        incident = f.tables.incidents[attempt.incident_id or ""]
        policy = f.armed_by[attempt.id]
        if f.nobody_has_looked():
            f.breach("9", f"off of {attempt.host_id} by a restored database, and nobody has looked")
        newest = f.rounds.get(incident.id, [])[-1:]
        intended_at = f.intents[attempt.id]
        if f.universe.now() - intended_at > SENT_WITHIN_S:
            f.breach("2", f"sent {f.universe.now() - intended_at:.1f} s after its intent")
        if not newest or newest[0].verdict is not Verdict.DEAD or incident.state is not State.FENCING:
            f.breach("2", f"off while {incident.state}, newest round {newest}")
            return
        if intended_at - newest[0].at > 2 * policy.check_interval.total_seconds() + SLACK_S:
            f.breach("2", f"the newest round was {intended_at - newest[0].at:.1f} s old at the intent")
        self._cap(attempt, policy)
        self._again(incident, entry)
        self._counted(incident, policy)
        self._life(incident, newest[0], policy)
        if f.universe.hosts[attempt.host_id].kernel_up(f.universe.now()):
            f.coverage.marks.add("power cut of a host that lived where nobody could see it")

    def _cap(self, attempt: Attempt, policy: Policy) -> None:
        """Rule 5, from what really reached devices."""
        f, now = self.facts, self.facts.universe.now()
        limits = (
            (policy.max_actions, policy.action_window.total_seconds(), attempt.cluster_id),
            (policy.global_max_actions, policy.global_action_window.total_seconds(), None),
        )
        for most, window, cluster_id in limits:
            down = {
                a.incident_id or a.id
                for at, a in f.sent
                if at > max(now - window, f.restored_at or 0.0)
                and cluster_id in (None, a.cluster_id)
                and a.incident_id != attempt.incident_id
            }
            if len(down) >= most:
                f.breach("5", f"{len(down) + 1} power-downs within {window:.0f} s, {most} allowed")
            if len(down) == most - 1:
                f.coverage.marks.add("the last slot of a cap was used")

    def _again(self, incident: Incident, entry: Entry) -> None:
        """Rule 9: between two power-downs of one incident lie a power read and a dead round."""
        f = self.facts
        earlier = [at for at, a in f.sent if a.incident_id == incident.id and a.automatic]
        if not earlier:
            return
        f.coverage.marks.add("a second command in one incident")
        if any(a.bmc_identity != entry.identity for _, a in f.sent if a.incident_id == incident.id):
            f.coverage.marks.add("a command through the second device after the first one's")
        reads = f.universe.reads_of(entry.identity, since=earlier[-1])
        if not any(state is PowerState.ON for _, state, _ in reads):
            f.breach("9", "a second off without a power read in between")
        if not any(r.verdict is Verdict.DEAD and r.at > earlier[-1] for r in f.rounds[incident.id]):
            f.breach("9", "a second off without a dead round in between")

    def _counted(self, incident: Incident, policy: Policy) -> None:
        """Rule 3: what the policy asks for was seen dead, round for round; what could not be told fills no gap."""
        f = self.facts
        if any(a.incident_id == incident.id for _, a in f.sent):
            return
        rounds = f.rounds[incident.id]
        alive = max((n for n, r in enumerate(rounds) if r.verdict is Verdict.ALIVE), default=-1)
        dead = [r.at for r in rounds[alive + 1 :] if r.verdict is Verdict.DEAD]
        silence_s = policy.min_silence.total_seconds() - LONGEST_LOOK_S
        if len(dead) < policy.rounds_needed or dead[-1] - dead[0] < silence_s:
            f.breach("3", f"off of {incident.host_id} after dead rounds at {dead}, {policy.rounds_needed} needed")

    def _life(self, incident: Incident, newest: RoundAt, policy: Policy) -> None:
        """Rules 3 and 10: enough complete answers, and no readable life for as long as the policy asks."""
        f, host_id = self.facts, incident.host_id
        began = newest.at - policy.min_silence.total_seconds()
        sender = SENDER.get()
        heard = f.answered(host_id, after=began, by=sender)
        if heard is not None:
            f.breach("10", f"{host_id} answered {heard.process.name} at {heard.at:.1f} s and is cut all the same")
        look = f.asked(host_id, by=sender, since=newest.at - 10.5, until=newest.at)
        for answer in look:
            # A witness that could not read for a while sees the last beat late: both must say so.
            if answer.moved_at > began and self._beat_since(host_id, began):
                f.breach("10", f"{answer.witness_id} saw the heartbeat move at {answer.moved_at:.1f} s")
            if answer.reach is not Reach.NO_ANSWER:
                f.breach("10", f"{answer.witness_id} got {answer.reach} from {host_id}")
        complete = {a.witness_id for a in look if a.complete}
        if len(complete) < policy.witnesses_required:
            f.breach("3", f"only {sorted(complete)} answered completely, {policy.witnesses_required} required")
        for guest in f.universe.guests.values():
            if guest.placed_on == host_id:
                file = f.universe.pools[guest.pool_id].files[guest.path]
                if began < file.written_at <= newest.at - 10.5:
                    f.breach("10", f"{guest.path} was written at {file.written_at:.1f} s")

    def _beat_since(self, host_id: str, since: float) -> bool:
        u = self.facts.universe
        return any(u.beat_between(host_id, pool_id, since, u.now()) for pool_id in u.pools)

    def on_intent(self, attempt: Attempt) -> None:
        """At the commit of an automatic power-down's intent: armed, not paused."""
        f = self.facts
        policy, host = f.policy(attempt.host_id), f.tables.hosts[attempt.host_id]
        f.armed_by[attempt.id] = policy
        if policy.mode is not Mode.ENFORCE or host.maintenance or host.excluded:
            f.breach("2", f"intent for {host.id} although mode {policy.mode}, or maintenance, or excluded")
        for pause in f.tables.pauses.values():
            if pause.active(attempt.intended_at) and pause.owner_id in ("", host.cluster_id, host.id):
                f.breach("2", f"intent for {host.id} during a pause: {pause.reason}")
        newest = f.tables.incidents[attempt.incident_id or ""].newest
        age_s = (f.time() - newest.at).total_seconds() if newest is not None else float("inf")
        if age_s > 2 * policy.check_interval.total_seconds() + SLACK_S:
            f.breach("2", f"intent for {host.id} on a look that ended {age_s:.1f} s ago")
        if any(_at_once(a, attempt) for a in f.tables.attempts.values() if a.id != attempt.id):
            f.breach("4", f"intent for {host.id} while another for it or its BMC is open")

    # -- release

    def on_effect(self, process: Process, kind: EffectKind, host_id: str) -> None:
        """An effect reaches the cloud now."""
        f = self.facts
        f.universe.note("cloud", f"obeys {kind}", host_id)
        intents = [
            e
            for e in f.tables.effects.values()
            if e.host_id == host_id and e.kind is kind and e.status is EffectStatus.INTENDED
        ]
        if not intents and f.replaced_at is not None and f.universe.now() - f.replaced_at <= EFFECT_WITHIN_S:
            return  # it was on its way, and its intent is gone with the rest
        if not intents:
            f.breach("8", f"{kind} of {host_id} without a stored intent")
        if kind is EffectKind.RELEASE:
            self._release(process, host_id)

    def _release(self, process: Process, host_id: str) -> None:
        f, u = self.facts, self.facts.universe
        incident = f.incident_of(host_id)
        if incident is None or incident.state is not State.RELEASING:
            f.breach("1", f"release of {host_id} while its incident is {incident and incident.state}")
            return
        vouched = incident.acknowledged is not None
        newest = f.rounds.get(incident.id, [])[-1:]
        if not vouched and (not newest or newest[0].verdict is not Verdict.DEAD):
            f.breach("1", f"release of {host_id} after a round that could not tell, or told of life: {newest}")
        since = self._acknowledged_at(incident) if vouched else self._proof(incident)
        heard = f.answered(host_id, after=since, by=process.name)
        if heard is not None:
            f.breach("1", f"release although {host_id} answered {heard.process.name} at {heard.at:.1f} s")
        look = f.asked(host_id, by=process.name, since=u.now() - 11.0, until=u.now())
        late = [a for a in look if a.moved_at > since + u.heartbeat_s and u.now() - a.moved_at > COUNTS_AFTER_S]
        if late and self._beat_since(host_id, since):
            f.breach("1", f"release although a witness saw the heartbeat of {host_id} move after the proof began")
        if incident.method:
            f.coverage.marks.add("released on the second device's proof")
        if incident.begun:
            f.coverage.marks.add("released in steps")
        self._truth(incident)

    def _acknowledged_at(self, incident: Incident) -> float:
        f = self.facts
        audited = [a for a in f.tables.audit.values() if a.action == "acknowledge" and a.target == incident.id]
        if not audited:
            f.breach("1", "released on an acknowledgement that nobody audited")
        f.coverage.marks.add("released on an acknowledgement")
        steps = [e.at for e in f.universe.journal.entries if e.what == f"{incident.host_id} acknowledged"]
        return steps[-1] if steps else f.universe.now()

    def _proof(self, incident: Incident) -> float:
        """Enough consecutive off reads after the last command, the newest young; returns when the first of them was."""
        f, now = self.facts, self.facts.universe.now()
        host_id = incident.host_id
        policy = f.policy(host_id)
        sent = [at for at, a in f.sent if a.incident_id == incident.id]
        reads = f.universe.reads_of(f.universe.device_of(incident), since=sent[-1] if sent else float("-inf"))
        off: list[float] = []
        for at, state, _ in reversed(reads):
            if state is not PowerState.OFF:
                break
            if not off or off[-1] - at >= policy.read_spacing.total_seconds() - SLACK_S:
                off.append(at)
        if len(off) < policy.off_reads:
            f.breach("1", f"release of {host_id} with {len(off)} consecutive off reads, {policy.off_reads} needed")
            return now
        if now - off[0] > OFF_READ_WITHIN_S + SLACK_S:
            f.breach("1", f"release of {host_id} with its newest off read {now - off[0]:.1f} s old")
        return off[policy.off_reads - 1]

    def _truth(self, incident: Incident) -> None:
        """The host must really be off; where it is not, an assumption of the design must have been broken."""
        f, u, now = self.facts, self.facts.universe, self.facts.universe.now()
        host_id = incident.host_id
        metal = u.hosts[host_id]
        if not metal.on(now):
            return
        since = max(at for at, to in metal.machine.switches if to and at <= now) if metal.machine.switches else 0.0
        last_read = max(
            (at for at, _, _ in u.reads_of(u.device_of(incident), since=since - OFF_READ_WITHIN_S)), default=since
        )
        if metal.machine.switches and since > last_read:
            f.coverage.marks.add("a technician was faster than the last read")
        elif not incident.method and self._wired_to_a_dead_host(host_id):
            f.coverage.marks.add("released while on: the BMC was wired to a host that was dead already")
        elif host_id in u.broken_assumptions:
            f.coverage.marks.add(f"released while on: {u.broken_assumptions[host_id]}")
        else:
            f.breach("1", f"release although {host_id} is truly on")

    def _wired_to_a_dead_host(self, host_id: str) -> bool:
        """Then nothing vanishes with the command, and nobody can tell the wrong machine."""
        f, u = self.facts, self.facts.universe
        other = u.bmcs[host_id].machine.name
        sent = [at for at, a in f.sent if a.host_id == host_id]
        if other == host_id or not sent:
            return other != host_id
        return not any(u.beat_between(other, p, sent[-1] - 3 * u.heartbeat_s, sent[-1] + 1.0) for p in u.pools)


def _at_once(one: Attempt, other: Attempt) -> bool:
    """Both intents stand for one host or one BMC, and the first had no result when the second was stored."""
    if one.host_id != other.host_id and one.bmc_identity != other.bmc_identity:
        return False
    return one.finished_at is None or one.intended_at <= other.intended_at < one.finished_at


def is_power_down(attempt: Attempt) -> bool:
    """An automatic intent to take a host down."""
    return attempt.automatic and attempt.action in (PowerAction.OFF, PowerAction.REBOOT)
