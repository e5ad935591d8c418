"""What a process counts of itself, as Prometheus reads it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.domain.figures import Written
from controller.domain.incident import Command, CommandStatus, State
from controller.domain.model import Delivery, DeliveryStatus, EffectStatus
from controller.domain.power import Accepted
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from controller.metrics import families
from controller.metrics.base import StepEnd
from controller.metrics.families import FAMILIES, Family, Kind
from controller.metrics.prometheus import PrometheusMeter
from controller.metrics.samples import Sample
from tests.fixtures import builders as a
from tests.fixtures.builders import at


def read(meter: PrometheusMeter, samples: Iterable[Sample] = ()) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Everything it shows, by name and labels."""
    text = meter.text(samples).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(meter: PrometheusMeter, family: Family, suffix: str = "", **labels: str) -> float | None:
    return read(meter).get((family.name + suffix, frozenset(labels.items())))


def test_every_family_is_shown_with_its_help_even_without_a_value() -> None:
    text = PrometheusMeter().text([]).decode()
    for family in FAMILIES.values():
        assert f"# HELP {family.name} {family.text}\n" in text
        assert f"# TYPE {family.name} {family.kind}\n" in text


def test_names_say_where_a_figure_comes_from_and_of_what_kind_it_is() -> None:
    for family in FAMILIES.values():
        assert family.name.startswith(("hostfence_site_", "hostfence_controller_"))
        assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
        assert bool(family.buckets) is (family.kind is Kind.HISTOGRAM)
        assert not family.of_site or family.kind is Kind.GAUGE, "what every controller shows alike must not be added up"
        assert not family.help.endswith(".")


def test_counters_begin_at_zero_so_that_the_first_event_is_an_increase() -> None:
    meter = PrometheusMeter()
    assert value(meter, families.OPENED, source="watch") == 0
    assert value(meter, families.TRANSITIONS, from_state="checking", to_state="held") == 0
    assert value(meter, families.HOLDS, reason="storm") == 0
    assert value(meter, families.ROUNDS, verdict="dead") == 0
    assert value(meter, families.EFFECTS, kind="quarantine", result="failed") == 0
    assert value(meter, families.OUTCOMES, action="off", by="hostfence", accepted="no") == 0
    assert value(meter, families.STEPS, state="held", result="failed") == 0
    assert value(meter, families.STEPS, state="fenced", result="done") is None, "no step is done in a closed state"


def test_two_processes_share_nothing() -> None:
    one, other = PrometheusMeter(), PrometheusMeter()
    one.cloud_polled(told=True)
    assert value(one, families.POLLS, result="told") == 1
    assert value(other, families.POLLS, result="told") == 0


def test_steps() -> None:
    meter = PrometheusMeter()
    meter.step_begun(late_s=0.3)
    meter.step_begun(late_s=-0.1)
    assert value(meter, families.RUNNING) == 2
    meter.step_ended(State.CHECKING, StepEnd.FAILED, took_s=6.2)
    assert value(meter, families.RUNNING) == 1
    assert value(meter, families.STEPS, state="checking", result="failed") == 1
    assert value(meter, families.LATENESS, "_count") == 2
    assert value(meter, families.LATENESS, "_bucket", le="0.1") == 1
    assert value(meter, families.LATENESS, "_sum") == pytest.approx(0.3)
    assert value(meter, families.STEP_TIME, "_bucket", le="10.0") == 1


def test_requests_and_no_label_that_a_caller_chooses() -> None:
    meter = PrometheusMeter()
    meter.answered("GET", "/api/v1/hosts", 200, took_s=0.02)
    meter.answered("BREW", "", 401, took_s=0.001)
    assert value(meter, families.REQUESTS, method="GET", route="/api/v1/hosts", status="200") == 1
    assert value(meter, families.REQUESTS, method="other", route="", status="401") == 1
    assert value(meter, families.REQUEST_TIME, "_count", route="/api/v1/hosts") == 1


class TestCommitted:
    def heard(self, *written: Written) -> PrometheusMeter:
        meter = PrometheusMeter()
        meter.written(written)
        return meter

    def test_an_incident_is_opened_by_somebody(self) -> None:
        meter = self.heard(a.incident(), a.event(kind="opened", to_state="suspect"))
        assert value(meter, families.OPENED, source="watch") == 1

    def test_a_hold_counts_under_each_reason(self) -> None:
        moved = a.event(kind="state", from_state="checking", to_state="held", reasons=(Reason.STORM, Reason.PAUSED))
        meter = self.heard(moved, a.incident(state=State.HELD))
        assert value(meter, families.TRANSITIONS, from_state="checking", to_state="held") == 1
        assert value(meter, families.HOLDS, reason="storm") == value(meter, families.HOLDS, reason="paused") == 1
        assert value(meter, families.HOLDS, reason="isolated") == 0

    def test_other_lines_of_the_timeline_are_no_transitions(self) -> None:
        meter = self.heard(a.event(kind="reasons", to_state="held", reasons=(Reason.STORM,)))
        assert value(meter, families.HOLDS, reason="storm") == 0

    def test_rounds_by_verdict(self) -> None:
        meter = self.heard(a.round_record(verdict="dead"), a.round_record(verdict="dead", number=2))
        assert value(meter, families.ROUNDS, verdict="dead") == 2

    @pytest.mark.parametrize("command", ["sent", "none"])
    def test_from_silence_to_off(self, command: str) -> None:
        count = 1 if command == "sent" else 0
        incident = a.incident(
            state=State.RELEASING,
            disconnect_at=at(-40),
            proof=Proof(reads=3, proven_at=at(60)),
            command=Command(status=CommandStatus.ANSWERED, count=count),
        )
        moved = a.event(kind="state", from_state="verifying", to_state="releasing", reasons=(Reason.PROVEN_OFF,))
        meter = self.heard(moved, incident)
        assert value(meter, families.TO_OFF, "_sum", command=command) == 100
        assert value(meter, families.TO_OFF, "_count", command=command) == 1
        meter.written([incident])
        assert value(meter, families.TO_OFF, "_count", command=command) == 1, "once, however often it is saved"

    def test_a_persons_word_is_no_proof_to_be_timed(self) -> None:
        moved = a.event(kind="state", from_state="held", to_state="releasing", reasons=(Reason.ACKNOWLEDGED,))
        meter = self.heard(moved, a.incident(state=State.RELEASING))
        assert value(meter, families.TO_OFF, "_count", command="none") == 0

    def test_from_silence_to_release(self) -> None:
        incident = a.incident(state=State.FENCED, disconnect_at=at(0), released_at=at(75))
        meter = self.heard(a.event(kind="state", from_state="releasing", to_state="fenced"), incident)
        assert value(meter, families.TO_RELEASE, "_sum") == 75

    def test_power_commands(self) -> None:
        intent = a.attempt(automatic=True)
        outcome = replace(intent, finished_at=at(1), accepted=Accepted.NO)
        meter = self.heard(intent, outcome, a.attempt("a2", automatic=False))
        assert value(meter, families.INTENTS, action=intent.action, by="hostfence") == 1
        assert value(meter, families.INTENTS, action=intent.action, by="person") == 1
        assert value(meter, families.OUTCOMES, action=intent.action, by="hostfence", accepted="no") == 1

    def test_effects_and_messages_only_once_they_are_over(self) -> None:
        delivery = Delivery(id="d", notice_id="n", channel="mail", status=DeliveryStatus.PENDING, next_try_at=at(0))
        meter = self.heard(
            a.effect(),
            a.effect("e2", status=EffectStatus.FAILED),
            delivery,
            replace(delivery, status=DeliveryStatus.DEAD),
        )
        assert value(meter, families.EFFECTS, kind="quarantine", result="failed") == 1
        assert value(meter, families.EFFECTS, kind="quarantine", result="done") == 0
        assert value(meter, families.DELIVERIES, channel="mail", result="dead") == 1
        assert value(meter, families.DELIVERIES, channel="mail", result="pending") is None
