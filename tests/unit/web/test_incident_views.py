"""An incident in words: the situation, what follows, machines, timeline, and the evidence before a word is given."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.evidence import CloudSays, Finding, Judgement, Machine, Verdict
from controller.domain.incident import Acknowledgement, Command, CommandStatus, State
from controller.domain.policy import Action, Mode, Policy
from controller.domain.power import PowerReading, PowerState
from controller.domain.reasons import Reason
from controller.domain.tally import Tally
from controller.services.live_evidence import LiveEvidence
from controller.web.views import machines
from controller.web.views.incident import IncidentHead, incident_head
from controller.web.views.live_evidence import EvidenceView, evidence_view
from controller.web.views.look import Look
from controller.web.views.machines import machine_lines
from controller.web.views.timeline import event_lines
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.fixtures import evidence as e
from tests.fixtures.builders import T0, at

ARMED = Policy(mode=Mode.ENFORCE, action=Action.OFF)
SENT = Command(status=CommandStatus.ANSWERED, count=1)


def head(policy: Policy | None = ARMED, **changes: Any) -> IncidentHead:
    return incident_head(a.incident(next_step_at=at(9), **changes), a.host(name="kvm-7"), policy)


class TestSituation:
    @pytest.mark.parametrize("state", list(State))
    @pytest.mark.parametrize("policy", [ARMED, None])
    def test_every_state_is_told_in_words_with_the_hosts_name(self, state: State, policy: Policy | None) -> None:
        one = head(policy, state=state)
        assert "kvm-7" in one.situation
        assert "{" not in one.situation + one.then

    def test_checking_counts_what_is_missing(self) -> None:
        tally = Tally(dead=2, first_at=T0, last_at=at(15))
        assert (
            "dead 2 times in a row (4 needed), over 15 s (1 min needed)"
            in head(state=State.CHECKING, tally=tally).situation
        )
        assert "4 rounds must, over at least 1 min" in head(state=State.CHECKING).situation
        single = head(replace(ARMED, additional_checks=0), state=State.CHECKING)
        assert "one round must" in single.situation

    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            (ARMED, "its power is cut"),
            (Policy(), "nothing is done to the host"),
            (Policy(mode=Mode.ENFORCE, action=Action.BLINK), "its LED is lit"),
            (Policy(action=Action.OFF), "observe mode sends no command"),
        ],
    )
    def test_what_follows_is_what_the_settings_say(self, policy: Policy, said: str) -> None:
        assert said in head(policy, state=State.CHECKING).then

    def test_a_hold_says_what_happens_while_it_lasts(self) -> None:
        assert "a person decides" in head(state=State.HELD, reasons=(Reason.STORM,)).then
        why = head(state=State.HELD, reasons=(Reason.PAUSED, Reason.STORM)).situation
        assert why.endswith("Why: storm, paused.")
        assert "sends nothing while it holds" in head(state=State.HELD, command=SENT).then

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            (Reason.OBSERVE_MODE, "only observes"),
            (Reason.NOTHING_TO_RELEASE, "No machine was on it"),
            (Reason.ACTION_NONE, "People were told"),
        ],
    )
    def test_a_host_found_dead_and_left_alone_says_why(self, reason: Reason, said: str) -> None:
        assert said in head(state=State.NOTIFIED, reasons=(Reason.HOST_DEAD, reason)).situation

    def test_a_host_that_came_back_after_a_command_is_not_called_untouched(self) -> None:
        assert "A power command had been sent" in head(state=State.RECOVERED, command=SENT).situation

    def test_a_persons_word_is_named_as_such(self) -> None:
        word = Acknowledgement(by="ada", at=T0, reason="unplugged")
        assert "vouched" in head(state=State.RELEASING, acknowledged=word).situation
        assert "on a person's word" in head(state=State.FENCED, acknowledged=word).situation


class TestWhatAPersonMayDo:
    @pytest.mark.parametrize(
        ("changes", "may"),
        [
            ({"state": State.SUSPECT}, "cancel"),
            ({"state": State.CHECKING}, "cancel"),
            ({"state": State.FENCING}, "cancel"),
            ({"state": State.FENCING, "command": SENT}, ""),
            ({"state": State.FENCING, "command": Command(status=CommandStatus.INTENDED)}, ""),
            ({"state": State.VERIFYING, "command": SENT}, ""),
            ({"state": State.RELEASING}, ""),
            ({"state": State.HELD}, "cancel retry acknowledge"),
            ({"state": State.HELD, "command": SENT}, "retry acknowledge"),
            ({"state": State.HELD, "command": Command(status=CommandStatus.INTENDED, count=1)}, ""),
            ({"state": State.FENCED}, ""),
        ],
    )
    def test_only_what_would_be_done_is_offered(self, changes: dict[str, Any], may: str) -> None:
        one = head(**changes)
        offered = {"cancel": one.may_cancel, "retry": one.may_retry, "acknowledge": one.may_acknowledge}
        assert {name for name, offers in offered.items() if offers} == set(may.split())


class TestEarliestOff:
    def test_it_waits_for_the_rounds_that_are_missing_and_the_last_look(self) -> None:
        tally = Tally(dead=2, first_at=T0, last_at=at(15))
        one = head(state=State.CHECKING, tally=tally)
        # Two or, for a minute's silence, three more rounds, then a look of a heartbeat's length.
        assert one.off_at == at(9) + 2 * timedelta(seconds=15) + timedelta(seconds=7)

    def test_in_fencing_it_is_the_next_step(self) -> None:
        assert head(state=State.FENCING).off_at == at(9)

    @pytest.mark.parametrize(
        "one",
        [
            head(Policy(action=Action.OFF), state=State.FENCING),
            head(Policy(mode=Mode.ENFORCE), state=State.FENCING),
            head(None, state=State.FENCING),
            head(state=State.CHECKING),
            head(state=State.HELD),
        ],
    )
    def test_where_nothing_is_on_its_way_nothing_counts_down(self, one: IncidentHead) -> None:
        assert one.off_at is None


class TestMachines:
    fleet = (Machine(id="1", name="db"), Machine(id="2", name="web", restart=False))

    def looks(self, *events: Any, elsewhere: tuple[str, ...] = (), **changes: Any) -> dict[str, Look]:
        rounds = [a.round_record(evidence={"disks": {"elsewhere": list(elsewhere), "uncheckable": ["db"]}})]
        lines = machine_lines(a.incident(machines=self.fleet, **changes), events, rounds)
        return {line.name: line.look for line in lines}

    def test_what_became_of_each(self) -> None:
        assert self.looks(state=State.CHECKING) == dict.fromkeys(("db", "web"), machines.LOOKED_AT)
        assert self.looks(state=State.HELD, quarantined=True)["db"] == machines.STAYS
        assert self.looks(state=State.RELEASING)["db"] == machines.STARTING
        assert self.looks(state=State.HELD, begun=frozenset({"1"}))["db"] == machines.STARTING
        assert self.looks(state=State.CHECKING, elsewhere=("web",))["web"] == machines.ELSEWHERE
        assert self.looks(state=State.FENCED) == {"db": machines.RELEASED, "web": machines.BY_HAND}
        assert self.looks(state=State.RECOVERED)["db"] == machines.LEFT

    def test_one_that_did_not_start_comes_first(self) -> None:
        event = a.event(data={"not_started": ["web"]})
        assert next(iter(self.looks(event, state=State.FENCED).items())) == ("web", machines.NOT_STARTED)

    def test_what_no_neighbor_can_see_is_noted(self) -> None:
        rounds = [a.round_record(evidence={"disks": {"uncheckable": ["db"]}}), a.round_record(2)]
        lines = machine_lines(a.incident(machines=self.fleet), (), rounds)
        assert [line.note for line in lines] == ["on storage that no neighbor can see", ""]


class TestTimeline:
    def test_newest_first_with_actor_and_evidence(self) -> None:
        events = (
            a.event("e1", kind="opened", actor="hostfence"),
            a.event("e2", kind="state", from_state="held", to_state="checking", actor="ada", text="go on"),
            a.event("e3", kind="power_read", data={"state": "off"}),
            a.event("e4", kind="from_a_later_version"),
        )
        lines = event_lines(events)
        assert [line.id for line in lines] == ["e4", "e3", "e2", "e1"]
        assert [line.look.word for line in lines] == [
            "from a later version",
            "power read",
            "held → checking",
            "incident opened",
        ]
        assert [line.actor for line in lines] == ["", "", "ada", ""]
        assert lines[1].raw == '{\n  "state": "off"\n}'
        assert lines[0].raw == ""


class TestLiveEvidence:
    def seen(self, *reasons: Reason, power: PowerState | None = PowerState.OFF, **changes: Any) -> LiveEvidence:
        verdict = Verdict.ALIVE if reasons else Verdict.DEAD
        finding = Finding(witness_id="w1", verdict=verdict, reasons=reasons)
        judgement = Judgement(verdict=verdict, reasons=reasons, findings=(finding,), memory={})
        reading = PowerReading(state=power, said="s") if power is not None else None
        default = LiveEvidence(facts=e.facts(), judgement=judgement, devices=(reading,))
        return replace(default, **changes)

    def view(self, seen: LiveEvidence, *, actor: str = "ada", admin: bool = True) -> EvidenceView:
        return evidence_view(seen, {"w1": "kvm-8"}, actor=actor, admin=admin)

    def test_silence_speaks_for_it(self) -> None:
        one = self.view(self.seen())
        assert (one.refused, one.impossible, one.needs_second) == ("", False, False)
        assert [(fact.what, fact.look.tone) for fact in one.facts] == [
            ("Its address", "ok"),
            ("Power", "ok"),
            ("Witness kvm-8", "ok"),
        ]

    def test_what_speaks_against_it_comes_first(self) -> None:
        one = self.view(self.seen(Reason.AGENT_ANSWERS, facts=e.facts(own_reach=Reach.AGENT_ANSWERED)))
        assert one.impossible
        assert [fact.look.tone for fact in one.facts] == ["bad", "bad", "ok"]
        assert one.refused.startswith("The host shows signs of life")

    def test_power_on_is_final(self) -> None:
        assert self.view(self.seen(power=PowerState.ON)).impossible

    def test_moving_disks_are_for_another_admin(self) -> None:
        moving = self.seen(Reason.DISKS_MOVE)
        assert (self.view(moving).needs_second, self.view(moving).offers_second) == (True, False)
        tried = replace(moving, refused_to=("olaf", "olaf"))
        assert self.view(tried).offers_second
        assert self.view(tried).refused_to == ("olaf",)
        assert not self.view(tried, actor="olaf").offers_second
        assert not self.view(tried, admin=False).offers_second
        assert "sees disks being written" in {fact.look.word for fact in self.view(moving).facts}

    def test_what_could_not_be_read_is_said(self) -> None:
        nobody = Judgement(verdict=Verdict.INCONCLUSIVE, reasons=(), findings=(), memory={})
        facts = e.facts(own_reach=Reach.UNKNOWN, cloud=CloudSays.UNREACHABLE)
        one = self.view(self.seen(power=None, judgement=nobody, facts=facts))
        assert [fact.look.tone for fact in one.facts] == ["warn"] * 4

    def test_each_of_several_power_devices_has_its_line(self) -> None:
        off = PowerReading(state=PowerState.OFF)
        one = self.view(self.seen(devices=(off, None)))
        assert [fact.what for fact in one.facts if fact.what.startswith("Power")] == [
            "Power device 2",
            "Power device 1",
        ]
