"""The picture of an incident: where moments lie, what stands in which lane, and that a long one stays light."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import FileState, Memory, Verdict
from controller.domain.incident import Incident, NewestRound, State
from controller.domain.model import EffectKind, EffectStatus, RoundRecord, RoundRun
from controller.domain.power import Accepted, PowerAction
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from controller.web.views.picture import MOST_POOLS, MOST_WITNESSES, Drawn, Picture, picture
from controller.web.views.picture_marks import MOST_RUNS, ROOM, Mark, thin
from controller.web.views.picture_scale import make_scale, ticks
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at

ROOT = "/mnt/primary"
moments = st.floats(min_value=-300, max_value=90_000).map(at)


def drawn(**changes: Any) -> Drawn:
    default = Drawn(
        incident=a.incident(), events=(), runs=(), sample=(), attempts=(), effects=(), names={"h2": "kvm-8"}
    )
    return replace(default, **changes)


def lanes(one: Picture) -> dict[str, list[str]]:
    return {lane.name: [run.look for run in lane.runs] for lane in one.lanes}


def witness(host_id: str = "h2", verdict: str = "dead", *, pools: tuple[dict[str, Any], ...] = (), **more: Any) -> Any:
    return {"host_id": host_id, "verdict": verdict, "reasons": [], "detail": "", "pools": list(pools), **more}


def pool(moved_age: float | None, root: str = ROOT, **more: Any) -> dict[str, Any]:
    return {"root": root, "code": None, "subject": {"known": True, "moved_age": moved_age}, **more}


def looked(number: int, *witnesses: Any, power: str | None = None, **evidence: Any) -> RoundRecord:
    told = None if power is None else {"state": power, "code": "none", "said": ""}
    return a.round_record(number, evidence={"witnesses": list(witnesses), "power": told, **evidence})


def run(first: int, last: int, verdict: str = "dead", **changes: Any) -> RoundRun:
    default = RoundRun(
        first=first,
        last=last,
        first_at=at(15 * first),
        last_at=at(15 * last),
        verdict=verdict,
        reasons=(),
        counted=last,
    )
    return replace(default, **changes)


class TestScale:
    def test_while_nothing_is_long_it_is_linear(self) -> None:
        scale = make_scale(T0, at(100), [at(20), at(60)])
        assert [scale.x(at(second)) for second in (0, 50, 100)] == [1.5, 50.0, 98.5]
        assert scale.squeezed() == ()

    @given(st.lists(moments, max_size=200), moments, moments)
    def test_later_is_never_further_left_and_nothing_leaves_the_picture(
        self, keys: list[Any], one: Any, other: Any
    ) -> None:
        scale = make_scale(T0, at(86_400), keys)
        earlier, later = sorted((one, other))
        assert 0 <= scale.x(earlier) <= scale.x(later) <= 100
        assert len(scale.stretches) <= 62

    def test_a_quiet_day_leaves_room_for_the_minutes_that_mattered(self) -> None:
        scale = make_scale(T0, at(86_400), [at(30), at(60), at(90)])
        assert scale.x(at(90)) > 10
        [squeezed] = scale.squeezed()
        assert (squeezed.begin, squeezed.lasts) == (at(90), timedelta(seconds=86_310))
        assert scale.at(scale.x(at(40_000))) - at(40_000) < timedelta(minutes=10)

    def test_an_incident_of_no_length_can_be_drawn(self) -> None:
        assert make_scale(T0, T0, []).x(T0) == 1.5

    @pytest.mark.parametrize("seconds", [20, 140, 5_000, 86_400, 700_000])
    def test_ticks_are_round_in_order_and_apart(self, seconds: int) -> None:
        scale = make_scale(at(-5), at(seconds), [at(18), at(95)])
        made = ticks(scale, T0)
        assert len(made) >= 4
        assert all(later.x - earlier.x >= 9 for earlier, later in pairwise(made))
        assert all(4 <= tick.x <= 96 for tick in made)
        assert all(tick.at - T0 == tick.after for tick in made)

    def test_ticks_say_how_long_after_the_disconnect(self) -> None:
        words = [tick.words for tick in ticks(make_scale(at(-35), at(155), [at(70)]), T0)]
        assert words == ["-30 s", "0 s", "+30 s", "+1 min", "+1 min 30 s", "+2 min", "+2 min 30 s"]


class TestThinning:
    scale = make_scale(T0, at(1000), [])

    def test_marks_far_apart_stay_themselves(self) -> None:
        runs = thin([Mark(at=at(500), look="dead", says="b"), Mark(at=at(100), look="dead", says="a")], self.scale)
        assert [(one.says, one.count, one.wide) for one in runs] == [("a", 1, 0), ("b", 1, 0)]

    def test_close_ones_that_look_the_same_become_one(self) -> None:
        marks = [Mark(at=at(100 + n), look="dead", says=str(n)) for n in range(50)]
        [one] = thin(marks, self.scale)
        assert (one.count, one.at, one.until, one.says) == (50, at(100), at(149), "49")

    def test_a_single_different_one_among_them_is_never_lost(self) -> None:
        marks = [Mark(at=at(100 + n), look="alive" if n == 25 else "dead", says="") for n in range(50)]
        assert [(one.look, one.count) for one in thin(marks, self.scale)] == [("dead", 25), ("alive", 1), ("dead", 24)]

    @given(st.lists(st.tuples(st.floats(0, 1000), st.sampled_from(["dead", "alive", "inconclusive"])), max_size=600))
    def test_however_many_nothing_is_lost_and_few_are_drawn(self, told: list[tuple[float, str]]) -> None:
        marks = [Mark(at=at(second), look=look, says="") for second, look in told]
        runs = thin(marks, self.scale)
        for look in ("dead", "alive", "inconclusive"):
            assert sum(one.count for one in runs if one.look == look) == sum(mark.look == look for mark in marks)
        assert len(runs) <= max(MOST_RUNS, 46 * 3)

    def test_room_is_what_a_mark_needs(self) -> None:
        apart = 1000 * (ROOM + 0.1) / 97
        marks = [Mark(at=at(100), look="dead", says=""), Mark(at=at(100 + apart), look="dead", says="")]
        assert len(thin(marks, self.scale)) == 2


class TestLanes:
    def test_an_incident_that_has_just_been_opened(self) -> None:
        one = picture(drawn(incident=a.incident(opened_at=at(18))), now=at(19))
        assert lanes(one) == {"State": ["state quiet unnoticed", "state warn suspect"]}
        assert one.now is not None
        assert one.disconnect < one.now
        assert [lane.y for lane in one.lanes] == [60]

    def test_states_are_bands_one_after_the_other(self) -> None:
        events = (
            a.event("e1", kind="opened", to_state="suspect"),
            a.event("e2", at=at(1), kind="state", from_state="suspect", to_state="checking"),
            a.event("e3", at=at(60), kind="life", to_state="checking"),
            a.event("e4", at=at(90), kind="state", from_state="checking", to_state="held"),
        )
        [lane] = picture(drawn(events=events), now=at(100)).lanes
        assert [run.says for run in lane.runs] == ["suspect", "checking", "held"]
        assert all(earlier.end_x == later.x for earlier, later in pairwise(lane.runs))

    def test_a_closed_incident_has_no_present(self) -> None:
        closed = a.incident(state=State.CANCELLED, closed_at=at(50))
        late = picture(drawn(incident=closed), now=at(9_999_999))
        assert late.now is None
        assert late == picture(drawn(incident=closed), now=at(51))

    def test_rounds_are_drawn_as_runs_with_how_many_they_were(self) -> None:
        one = picture(drawn(runs=(run(1, 1, "inconclusive"), run(2, 700), run(701, 701, "alive"))), now=at(10_600))
        assert lanes(one)["Check rounds"] == ["inconclusive", "dead", "alive"]
        assert one.rounds == 701
        rounds = next(lane for lane in one.lanes if lane.name == "Check rounds")
        assert rounds.runs[1].count == 699

    def test_each_witness_has_a_lane_by_its_name_in_the_order_asked(self) -> None:
        sample = (
            looked(1, witness("h3", "inconclusive", reasons=["witness_silent"]), witness("h2")),
            looked(2, witness("h2", "alive"), not_asked=[{"host_id": "h4", "reason": "witness_suspected"}]),
        )
        one = picture(drawn(sample=sample), now=at(40))
        assert list(lanes(one).items())[1:] == [("h3", ["mute"]), ("kvm-8", ["dead", "alive"]), ("h4", ["mute"])]

    def test_of_too_many_witnesses_and_pools_those_that_told_something_are_drawn(self) -> None:
        asked = [witness(f"w{n}", "inconclusive", reasons=["witness_silent"]) for n in range(20)]
        pools = tuple(pool(3.0, f"/mnt/{n}") for n in range(9))
        one = picture(drawn(sample=(looked(1, *asked, witness("h2", pools=pools)),)), now=at(40))
        assert "kvm-8" in lanes(one)
        assert one.left_out == 21 - MOST_WITNESSES + 9 - MOST_POOLS
        assert len([name for name in lanes(one) if name.startswith("w")]) == MOST_WITNESSES - 1

    def test_a_heartbeat_that_stopped_is_a_beat_and_a_silence(self) -> None:
        sample = (looked(1, witness(pools=(pool(20.0),))), looked(2, witness(pools=(pool(35.1),))))
        one = picture(drawn(sample=sample), now=at(40))
        assert lanes(one)["Heartbeat on primary"] == ["beat", "silent"]
        beats = next(lane for lane in one.lanes if lane.name == "Heartbeat on primary")
        assert abs((beats.runs[0].at - at(-5)).total_seconds()) < 0.2
        assert beats.runs[1].says == "no heartbeat for 35 s"

    def test_a_heartbeat_that_moves_again_shows_both_and_an_unreadable_pool_shows_that(self) -> None:
        sample = (
            looked(1, witness(pools=(pool(20.0),))),
            looked(2, witness(pools=(pool(None, code="timed_out"),))),
            looked(3, witness(pools=(pool(0.5),))),
        )
        marks = lanes(picture(drawn(sample=sample), now=at(46)))["Heartbeat on primary"]
        assert marks == ["beat", "unknown", "beat"]

    def test_last_writes_are_told_by_the_storage_servers_own_clock(self) -> None:
        def file(seconds: float) -> FileState:
            ns = int((5_000_000 + seconds) * 1e9)  # a server whose clock is far off
            return FileState(device="0:1", inode=1, size=1, blocks=1, mtime_ns=ns, ctime_ns=ns)

        files = {f"{ROOT}/.hostfence/h2": file(0), f"{ROOT}/db.qcow2": file(-40), "/elsewhere/x": file(0)}
        newest = NewestRound(number=2, at=at(30), verdict=Verdict.DEAD, reasons=())
        incident = a.incident(memory={"h2": Memory(files=files), "h3": Memory()}, newest=newest)
        one = picture(drawn(incident=incident), now=at(40))
        [written] = next(lane for lane in one.lanes if lane.name == "Writes on primary").runs
        assert (written.at, written.says) == (at(-10), "last write to db.qcow2, 40 s before the newest round")

    def test_power_reads_of_rounds_and_of_the_proof_share_a_lane(self) -> None:
        read = a.event(kind="power_read", at=at(60), data={"state": "off", "code": "none", "said": "x"})
        odd = replace(read, id="e2", at=at(30), data={"state": "unknown", "code": "timed_out", "said": ""})
        one = picture(drawn(sample=(looked(1, power="on"),), events=(read, odd)), now=at(70))
        assert lanes(one)["Power"] == ["on", "unknown", "off"]

    @pytest.mark.parametrize(
        ("reach", "look"),
        [
            ("agent_answered", "alive"),
            ("kernel_answers", "inconclusive"),
            ("no_answer", "mute"),
            ("unknown", "unknown"),
        ],
    )
    def test_its_address(self, reach: str, look: str) -> None:
        sample = (looked(1, address={"reach": reach, "detail": ""}),)
        assert lanes(picture(drawn(sample=sample), now=at(20)))["Its address"] == [look]

    def test_what_was_done_has_its_lanes(self) -> None:
        attempts = (
            a.attempt(intended_at=at(50), finished_at=at(51), accepted=Accepted.YES),
            a.attempt("a2", intended_at=at(90), action=PowerAction.ON, automatic=False, actor="ada"),
        )
        effects = (
            a.effect(intended_at=at(20), status=EffectStatus.DONE, finished_at=at(21)),
            a.effect("x2", kind=EffectKind.RELEASE, intended_at=at(80)),
        )
        events = (a.event(kind="state", at=at(95), actor="ada", text="go on", from_state="held", to_state="checking"),)
        incident = a.incident(proof=Proof(proven_at=at(60)))
        one = picture(drawn(incident=incident, attempts=attempts, effects=effects, events=events), now=at(100))
        assert lanes(one)["Power commands"] == ["off-command", "proof", "power-on"]
        assert lanes(one)["Cloud"] == ["quarantine", "release"]
        assert lanes(one)["People"] == ["person"]
        done = {lane.name: [run.says for run in lane.runs] for lane in one.lanes}
        assert done["Power commands"][2].startswith("power on by ada through")
        assert done["Power commands"][2].endswith("its fate is not known yet")
        assert done["Cloud"] == ["quarantine: done", "release: under way"]

    def test_a_proof_that_was_voided_later_is_still_drawn(self) -> None:
        proven = a.event(kind="state", at=at(60), from_state="verifying", to_state="releasing")
        one = picture(drawn(events=(replace(proven, reasons=(Reason.PROVEN_OFF,)),)), now=at(70))
        assert lanes(one)["Power commands"] == ["proof"]

    def test_the_table_has_every_mark_by_time(self) -> None:
        one = picture(drawn(runs=(run(1, 3),), sample=(looked(1, witness(), power="on"),)), now=at(60))
        rows = one.rows()
        assert len(rows) == sum(len(lane.runs) for lane in one.lanes)
        assert [row[1].at for row in rows] == sorted(row[1].at for row in rows)

    def test_what_lies_long_before_does_not_stretch_the_axis(self) -> None:
        newest = NewestRound(number=1, at=at(30), verdict=Verdict.DEAD, reasons=())
        ns = 10**18
        own = FileState(device="d", inode=1, size=1, blocks=1, mtime_ns=ns, ctime_ns=ns)
        old = replace(own, mtime_ns=ns - 86_400 * 10**9)
        files = {f"{ROOT}/.hostfence/h2": own, f"{ROOT}/old.qcow2": old}
        incident: Incident = a.incident(memory={"h2": Memory(files=files)}, newest=newest)
        one = picture(drawn(incident=incident), now=at(60))
        assert one.disconnect < 20
        assert next(lane for lane in one.lanes if lane.name == "Writes on primary").runs[0].x == 1.5
