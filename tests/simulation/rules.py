"""The rules that are judged after every commit, and at the end of a schedule: 3, 6, 7, 8, 11, and coverage."""

import structlog

from controller.domain.evidence import Verdict
from controller.domain.incident import Incident, State, TransitionError, check_transition
from controller.domain.model import EffectKind
from controller.domain.power import PowerState
from controller.domain.tally import dead_enough
from shared.enums import Reach
from tests.simulation.facts import Facts, RoundAt
from tests.simulation.memory_tables import Tables
from tests.simulation.process import CURRENT, Process
from tests.simulation.rules_acting import ActingRules, is_power_down
from tests.simulation.universe import PASSWORD

LONGEST_LOOK_S = 10.0
FARTHEST_NEXT_STEP_S = 24 * 3600.0
SLACK_S = 0.5


class Referee:
    """Looks at every commit."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.acting = ActingRules(facts)
        self.logs: list[structlog.typing.EventDict] = []
        self._effects = 0

    # -- commits

    def label(self) -> str:
        """What the transaction that is about to commit does, in a word: the name of a point at which to die."""
        f = self.facts
        if len(f.tables.attempts) > len(f.intents):
            return "intent"
        for incident_id in f.tables.open_of_host.values():
            new, old = f.tables.incidents[incident_id], f.known.get(incident_id)
            if new is not old and (old is None or new.state is not old.state):
                return f"to {new.state}"
        for incident_id, old in f.known.items():
            if old.open and not f.tables.incidents[incident_id].open:
                return f"to {f.tables.incidents[incident_id].state}"
        return "effect" if len(f.tables.effects) > self._effects else "commit"

    def on_commit(self) -> None:
        """Judge what a transaction changed."""
        f, now, process = self.facts, self.facts.universe.now(), CURRENT.get()
        self._effects = len(f.tables.effects)
        if len(f.tables.attempts) > len(f.intents):
            for attempt in f.tables.attempts.values():
                if attempt.id not in f.intents:
                    f.intents[attempt.id] = now
                    f.universe.note(attempt.actor, f"intends {attempt.action}", attempt.host_id)
                    if is_power_down(attempt):
                        self.acting.on_intent(attempt)
        ids = {*f.tables.open_of_host.values(), *(i for i, known in f.known.items() if known.open)}
        for incident_id in sorted(ids):
            new, old = f.tables.incidents[incident_id], f.known.get(incident_id)
            if new is not old:
                f.known[incident_id] = new
                self._changed(old, new, process)

    def on_restore(self, before: Tables) -> None:
        """An old backup has taken the place of the database, which was as ``before``."""
        self.facts.restored(before)
        self._effects = len(self.facts.tables.effects)

    def _changed(self, old: Incident | None, new: Incident, process: Process | None) -> None:
        f = self.facts
        f.coverage.reasons.update(new.reasons)
        self._refused(old, new)
        if old is None or old.state is not new.state:
            self._moved(old, new)
        if new.newest is not None and (old is None or old.rounds != new.rounds):
            f.coverage.reasons.update(new.newest.reasons)
            kept = RoundAt(f.universe.now(), new.newest.number, new.newest.verdict, process)
            f.rounds.setdefault(new.id, []).append(kept)
            f.universe.note(new.host_id, f"round {new.newest.verdict}", ", ".join(new.newest.reasons))
            if new.newest.verdict is Verdict.DEAD:
                self._dead_round(new, process)
        if new.proof.proven_at is not None and (old is None or old.proof.proven_at is None):
            self._proven(new)
        if new.open:
            self._has_a_way_out(new)

    def _refused(self, old: Incident | None, new: Incident) -> None:
        """Coverage: what was refused, waited for and held for."""
        f = self.facts
        if new.state is State.HELD:
            f.coverage.holds.update(new.reasons)
        about_to = old is not None and old.state is State.FENCING
        enough = new.newest is not None and new.newest.verdict is Verdict.DEAD
        enough = enough and dead_enough(new.tally, f.policy(new.host_id))
        if new.state in (State.CHECKING, State.HELD, State.NOTIFIED) and (about_to or enough):
            f.coverage.refusals.update(new.reasons)
            if new.state is State.CHECKING and old is not None and old.rounds != new.rounds:
                f.waits.update((new.id, reason) for reason in new.reasons)

    def _moved(self, old: Incident | None, new: Incident) -> None:
        f = self.facts
        f.coverage.states.add(new.state)
        f.coverage.edges.add((old.state if old else "", new.state))
        f.universe.note(new.host_id, f"{old.state if old else 'opened'} → {new.state}", ", ".join(new.reasons))
        try:
            if old is not None:
                check_transition(old.state, new.state)
        except TransitionError as error:
            f.breach("11", str(error))

    def _dead_round(self, incident: Incident, process: Process | None) -> None:
        """Rule 3: behind every dead round stand enough complete, silent answers that were really given."""
        f, now = self.facts, self.facts.universe.now()
        policy = f.policy(incident.host_id)
        by = process.name if process is not None else ""
        lag = (f.time() - incident.newest.at).total_seconds() if incident.newest else 0.0
        before = [r.at for r in f.rounds[incident.id][:-1]][-1:]
        since = max([now - lag - LONGEST_LOOK_S, *before])  # what was said in the round before is no part of this one
        answers = f.asked(incident.host_id, by=by, since=since, until=now)
        complete = {a.witness_id for a in answers if a.complete}
        if len(complete) < policy.witnesses_required:
            f.breach("3", f"a dead round of {incident.host_id} with complete answers of {sorted(complete)} only")
        last = {a.witness_id: a for a in reversed(answers)}
        if any(a.reach in (Reach.AGENT_ANSWERED, Reach.KERNEL_ANSWERS) for a in last.values()):
            f.breach("3", f"a dead round of {incident.host_id} although its address answered a witness")

    def _proven(self, incident: Incident) -> None:
        """Rule 6: a proof is made of enough *off* reads after the command, never of an answer."""
        f = self.facts
        sent = [at for at, a in f.sent if a.incident_id == incident.id]
        reads = f.universe.reads_of(f.universe.device_of(incident), since=sent[-1] if sent else float("-inf"))
        needed = f.policy(incident.host_id).off_reads
        last = [state for _, state, _ in reads[-needed:]]
        if len(last) < needed or any(state is not PowerState.OFF for state in last):
            f.breach("6", f"proof of off of {incident.host_id} from the reads {last}")

    def _has_a_way_out(self, incident: Incident) -> None:
        f = self.facts
        if incident.next_step_at is None:
            f.breach("11", f"{incident.state} without a next step")
        elif abs((incident.next_step_at - incident.entered_at).total_seconds()) > FARTHEST_NEXT_STEP_S * 400:
            f.breach("11", f"{incident.state} with its next step at {incident.next_step_at}")
        if incident.state is State.HELD:
            untold = set(incident.reasons) - incident.told
            said = any(n.incident_id == incident.id and "held" in n.key for n in f.tables.notices.values())
            if not incident.reasons or untold or not said:
                f.breach("11", f"held for {incident.reasons}, untold {untold}, any notice: {said}")

    # -- the end

    def at_end(self) -> None:
        """What can only be judged once everything is over."""
        self._results()
        self._secrets()
        f = self.facts
        if f.universe.power.overlaps:
            f.coverage.marks.add("two controllers met at a device: a stop, or an outage, outlasted a turn")
        for events in f.tables.events.values():
            for event in events:
                f.coverage.reasons.update(event.reasons)
        for records in f.tables.rounds.values():
            for record in records.values():
                f.coverage.reasons.update(entry["reason"] for entry in record.evidence["not_asked"])
                for witness in record.evidence["witnesses"]:
                    f.coverage.reasons.update(witness["reasons"])
        for notice in f.tables.notices.values():
            f.coverage.notices.add(notice.kind)
            f.coverage.reasons.update(notice.why)

    def _results(self) -> None:
        """Rule 8: whatever was intended long ago has a result."""
        f, now = self.facts, self.facts.universe.now()
        for attempt in f.tables.attempts.values():
            if attempt.finished_at is None and now - f.intents[attempt.id] > 200:
                f.breach("8", f"the {attempt.action} of {attempt.host_id} has had no result for 200 s")
        for effect in f.tables.effects.values():
            left = effect.status == "intended" and effect.next_try_at is None
            if left and effect.kind is not EffectKind.RELEASE:
                f.breach("8", f"the {effect.kind} of {effect.host_id} is intended and nobody will try it")

    def _secrets(self) -> None:
        """Rule 7: the BMC password shows nowhere but in the settings."""
        t = self.facts.tables
        kept = (t.events, t.rounds, t.notices, t.deliveries, t.attempts, t.effects, t.audit, t.incidents, t.health)
        for table in (*kept, t.pauses, t.hosts, t.settings, self.logs):
            if PASSWORD in repr(table):
                self.facts.breach("7", f"the password shows in {repr(table)[:80]}…")
