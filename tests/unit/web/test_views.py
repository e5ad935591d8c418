from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.cluster_readiness import ClusterReadiness, HostLine, Tallied
from controller.domain.gates import Group, Readiness
from controller.domain.incident import Command, CommandStatus, State
from controller.domain.model import Host, Level, Severity
from controller.domain.policy import Mode, Policy
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.domain.watch import Seen
from controller.services.at_a_glance import Cap, ClusterNow, Glance
from controller.services.sights import Sight, Sights
from controller.web.foresight import NOTHING, Foreseen
from controller.web.views import look
from controller.web.views.host_state import ANSWERS, NEVER_SEEN, SEEN_WITHIN, SILENT, host_state
from controller.web.views.next_step import next_step
from controller.web.views.overview import Overview, overview
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at

CAP = Cap(used=1, most=3, window=timedelta(hours=1))


def a_glance(*hosts: str, **changes: Any) -> Glance:
    cluster = ClusterNow(
        cluster=a.cluster(), policy=Policy(mode=Mode.ENFORCE), cap=CAP, hosts=tuple(a.host(one) for one in hosts)
    )
    default = Glance(
        at=T0,
        policy=Policy(),
        cap=CAP,
        clusters=(cluster,),
        healths={one: a.health(one, seen_at=T0, healthy_since=at(-60)) for one in hosts},
        incidents={},
        pauses=(),
    )
    return replace(default, **changes)


def foreseen(*stands: tuple[str, tuple[str, ...]], causes: tuple[tuple[str, Readiness, int], ...]) -> Foreseen:
    lines = tuple(
        HostLine(id=one, name=one, readiness=Readiness.READY, codes=codes, off_s=1, spare_witnesses=1)
        for one, codes in stands
    )
    readiness = ClusterReadiness(
        cluster=a.cluster(),
        at=T0,
        ready=len(lines),
        waits=0,
        blocked=0,
        causes=tuple(
            Tallied(code=code, group=Group.HOST, readiness=stands, hosts=hosts, change="")
            for code, stands, hosts in causes
        ),
        hosts=lines,
        least_spare_witnesses=1,
        slowest_off_s=1,
        storm=None,
    )
    return Foreseen(at=T0, clusters={"c1": readiness})


def shown(glance: Glance, ahead: Foreseen = NOTHING) -> Overview:
    return overview(glance, ahead, Sights())


class TestEverythingLooksLikeSomething:
    @pytest.mark.parametrize(
        ("words", "table"),
        [(State, look.STATES), (Readiness, look.READINESS), (Mode, look.MODES), (Severity, look.SEVERITIES)],
    )
    def test_no_word_is_missing(self, words: Any, table: Any) -> None:
        assert set(words) == set(table)


class TestHostState:
    def test_an_open_incident_comes_before_everything(self) -> None:
        state = host_state(
            a.host(maintenance=True), a.health(fenced_by="i0"), a.incident(entered_at=at(-9)), Sights(), now=T0
        )
        assert (state.look, state.since, state.trouble) == (look.STATES[State.SUSPECT], at(-9), True)

    def test_a_fenced_host_is_trouble_until_it_is_back(self) -> None:
        state = host_state(a.host(), a.health(fenced_by="i0", seen_at=T0), None, Sights(), now=T0)
        assert (state.look.word, state.trouble) == ("fenced, not back yet", True)

    @pytest.mark.parametrize(
        ("host", "word"), [(a.host(maintenance=True), "maintenance"), (a.host(excluded=True), "excluded")]
    )
    def test_a_marked_host_is_no_trouble(self, host: Host, word: str) -> None:
        state = host_state(host, a.health(), None, Sights(), now=T0)
        assert (state.look.word, state.trouble) == (word, False)

    def test_a_host_that_the_cloud_forgot_says_so(self) -> None:
        assert host_state(a.host(retired=True), a.health(), None, Sights(), now=T0).look.icon == "cross"

    def test_a_process_that_has_just_started_believes_what_another_wrote(self) -> None:
        health = a.health(seen_at=T0, healthy_since=at(-60))
        assert host_state(a.host(), health, None, Sights(), now=T0 + SEEN_WITHIN).look is ANSWERS
        late = host_state(a.host(), health, None, Sights(), now=T0 + SEEN_WITHIN + timedelta(seconds=1))
        assert (late.look, late.since, late.trouble) == (SILENT, T0, True)

    def test_its_own_watch_knows_better(self) -> None:
        sights = Sights(polled=True, known={"h1": Sight(at=at(-16), seen=Seen(host_id="h1", reach=Reach.NO_ANSWER))})
        assert host_state(a.host(), a.health(seen_at=at(-20)), None, sights, now=T0).look is SILENT
        assert host_state(a.host(), a.health(seen_at=at(-20)), None, sights, now=at(-2)).look is ANSWERS

    def test_a_host_that_never_answered_is_not_called_silent(self) -> None:
        assert host_state(a.host(), a.health(), None, Sights(), now=T0).look is NEVER_SEEN


class TestNextStep:
    @pytest.mark.parametrize("state", [state for state in State if state.open])
    def test_every_open_state_says_what_comes_next(self, state: State) -> None:
        step = next_step(a.incident(state=state, next_step_at=at(9)))
        assert step.text
        assert step.at == at(9)

    def test_what_only_a_person_ends_counts_down_to_nothing(self) -> None:
        step = next_step(a.incident(state=State.HELD, reasons=(Reason.STORM,)))
        assert (step.needs_person, step.at) == (True, None)

    def test_after_a_command_it_only_reads(self) -> None:
        command = Command(status=CommandStatus.ANSWERED, count=1)
        step = next_step(a.incident(state=State.HELD, command=command, reasons=(Reason.BMC_UNREACHABLE,)))
        assert step.text == "power state is read again"

    def test_a_closed_one_has_none(self) -> None:
        assert next_step(a.incident(state=State.FENCED)).at is None


class TestOverview:
    def test_trouble_comes_first_and_the_rest_by_name(self) -> None:
        glance = a_glance("h1", "h2", "h3", incidents={"h3": a.incident(host_id="h3")})
        [card] = shown(glance).clusters
        assert [tile.id for tile in card.trouble] == ["h3"]
        assert [tile.id for tile in card.calm] == ["h1", "h2"]
        assert [(count.look.word, count.hosts) for count in card.counts] == [("suspect", 1), ("answers", 2)]

    def test_what_stands_against_all_hosts_is_said_of_the_cluster_alone(self) -> None:
        ahead = foreseen(
            ("h1", ("observe_mode",)),
            ("h2", ("observe_mode", "not_configured")),
            causes=(("observe_mode", Readiness.BLOCKED, 2), ("not_configured", Readiness.BLOCKED, 1)),
        )
        [card] = shown(a_glance("h1", "h2"), ahead).clusters
        assert [cause.code for cause in card.causes] == ["observe_mode", "not_configured"]
        [tile] = card.trouble
        assert (tile.id, tile.why, tile.state.trouble) == ("h2", "not configured", False)
        assert "not configured" in tile.find

    def test_a_warning_makes_no_trouble(self) -> None:
        ahead = foreseen(("h1", ("mounts",)), ("h2", ()), causes=(("mounts", Readiness.WARNING, 1),))
        assert shown(a_glance("h1", "h2"), ahead).clusters[0].trouble == ()

    def test_readiness_that_is_not_known_is_not_shown_as_none(self) -> None:
        view = shown(a_glance("h1"))
        assert view.readiness_at is None
        assert view.clusters[0].ready is None

    def test_the_oldest_incident_comes_first_and_a_deleted_host_is_an_id(self) -> None:
        glance = a_glance(
            "h1",
            incidents={
                "h1": a.incident("i1", opened_at=at(9)),
                "gone": a.incident("i2", host_id="gone", opened_at=at(1)),
            },
        )
        assert [line.host_name for line in shown(glance).incidents] == ["gone", "host h1"]

    def test_one_cluster_alone(self) -> None:
        glance = a_glance("h1", incidents={"h1": a.incident()})
        assert overview(glance, NOTHING, Sights(), only="c1").hosts == 1
        other = overview(glance, NOTHING, Sights(), only="c2")
        assert (other.clusters, other.incidents) == ((), ())

    def test_pauses_say_where_and_why_in_words(self) -> None:
        glance = a_glance(
            "h1",
            pauses=(
                a.pause("p1", level=Level.CLUSTER, owner_id="c1"),
                a.pause("p2", level=Level.HOST, owner_id="h1"),
                a.pause("p3", by=SYSTEM, reason=Reason.STARTUP_QUIET.value),
            ),
        )
        where, own = [pause.where for pause in shown(glance).pauses], shown(glance).pauses[2]
        assert where == ["cluster cluster c1", "host host h1", "everywhere"]
        assert own.reason.startswith("startup quiet: ")
