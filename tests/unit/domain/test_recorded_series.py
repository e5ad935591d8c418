"""What was measured on real storage, round by round through everything that judges it.

Each series in ``tests/fixtures/series`` follows the figures of one measurement (NFS 3 and 4.2 on Linux 6.1, 6.12 and
7.2, qemu on real images): what two neighbors read of one disk (seconds of the server's clock, 0 is the disconnect;
a code where a look told nothing), and when heartbeats reached the storage. The rest is ours and real: the neighbors'
tracking by their own boot time, the wire, the judge, the count.
"""

import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.domain.evidence import Memory, Report, Verdict
from controller.domain.judge import judge
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from controller.domain.steady import Base, allowance, corrected, step_between
from controller.domain.tally import Tally, count, dead_enough
from controller.probing.base import Question
from controller.probing.translate import report_of
from probe_agent.pools import SeenNothingError
from probe_agent.sampling import Sample
from probe_agent.tracker import PoolTrack
from shared.enums import Reach, ReadingCode, ReadingStatus
from shared.protocol import FileReading, ProbeAnswer, ReachResult
from tests.fixtures import builders as a
from tests.fixtures.evidence import DISK, ROOT, facts, policy

FOLDER = Path(__file__).parents[2] / "fixtures" / "series"
SUBJECT = a.host("h1")
WITNESSES = ("w1", "w2")
BEAT_S, SAMPLE_S = 5.0, 2.5
STARTS_AT_S = -60.0
HOUR = 3600.0

DEAD, ALIVE, INCONCLUSIVE = Verdict.DEAD, Verdict.ALIVE, Verdict.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Clocks that are stepped by ``by`` seconds between two looks, at ``at``."""

    at: float = 0.0
    by: float = 0.0
    server: bool = False
    controller: bool = False
    boottime: dict[str, float] = field(default_factory=dict)
    """Where each neighbor's boot time began, in seconds."""


@dataclass(frozen=True)
class Round:
    second: float
    verdict: Verdict
    reasons: tuple[Reason, ...]
    tally: Tally


@dataclass(frozen=True)
class Series:
    """One recorded series; ``measured`` says where its figures come from."""

    measured: str
    interval: float
    heartbeat: list[list[float]]
    control: list[list[float]]
    unreadable: list[list[Any]]
    columns: list[str]
    w1: list[list[Any]]
    w2: list[list[Any]] | None

    @classmethod
    def load(cls, name: str) -> "Series":
        return cls(**json.loads((FOLDER / f"{name}.json").read_text()))

    @property
    def seconds(self) -> list[float]:
        return [row[0] for row in self.w1]

    def rows(self, witness_id: str) -> list[list[Any]]:
        return self.w2 if self.w2 is not None and witness_id == "w2" else self.w1


@dataclass
class Neighbor:
    """A witness: its real tracking of the pool, fed with samples, and what it reads of the disk."""

    witness_id: str
    series: Series
    steps: Steps
    sampled_until: float = STARTS_AT_S
    pool: PoolTrack = field(init=False)

    def __post_init__(self) -> None:
        self.pool = PoolTrack(ROOT, self.witness_id, f"boot of {self.witness_id}", stale_after_s=8.0)

    def answer(self, number: int) -> Report:
        row = self.series.rows(self.witness_id)[number]
        while self.sampled_until <= row[0]:
            self._sample(self.sampled_until)
            self.sampled_until += SAMPLE_S
        answer = ProbeAnswer(
            nonce="12345678",
            host_id=self.witness_id,
            boot_id=self.pool.boot_id,
            agent_version="0",
            took_s=0.1,
            readings=[self._reading(number)],
            pools=[self.pool.sight(now=self._boottime(row[0]), only=SUBJECT.id)],
            reach=[ReachResult(outcome=Reach.NO_ANSWER)],
        )
        wire = ProbeAnswer.model_validate_json(answer.model_dump_json())
        question = Question(subject=SUBJECT, paths=(DISK,), pool_roots=(ROOT,))
        return report_of(self.witness_id, question, wire, took_s=0.1)

    def _sample(self, second: float) -> None:
        for begin, end, code in self.series.unreadable:
            if begin <= second < end:
                self.pool.fail(SeenNothingError(ReadingCode(code), "as recorded"))
                return
        at = self._boottime(second)
        own = Sample(self.witness_id, at, None, "", self.pool.boot_id, _beats(self.series.control, second))
        subject = Sample(SUBJECT.id, at, None, "", "boot of h1", _beats(self.series.heartbeat, second))
        self.pool.add([own, subject])

    def _boottime(self, second: float) -> float:
        return 10_000.0 + second + self.steps.boottime.get(self.witness_id, 0.0)

    def _reading(self, number: int) -> FileReading:
        _, mtime, *rest = self.series.rows(self.witness_id)[number]
        if isinstance(mtime, str):
            return FileReading(path=DISK, status=ReadingStatus.UNKNOWN, code=ReadingCode(mtime))
        ctime, size, blocks, inode, device = rest
        return FileReading(
            path=DISK,
            status=ReadingStatus.OK,
            device=device,
            inode=inode,
            size=size,
            blocks=blocks,
            mtime_ns=self._server_ns(mtime),
            ctime_ns=self._server_ns(ctime),
        )

    def _server_ns(self, value: float) -> int:
        """A server whose clock is stepped stamps what is written from then on; what stands on its disk stays."""
        stepped = self.steps.server and value >= self.steps.at
        return int((2 * HOUR + value + (self.steps.by if stepped else 0.0)) * 1e9)


@dataclass
class ControllersClock:
    """hostfence time as it is kept: a wall clock that may be stepped, corrected by the monotonic one."""

    steps: Steps
    base: Base = field(default_factory=Base)
    last: tuple[datetime, float] | None = None

    def now(self, second: float) -> datetime:
        stepped = self.steps.controller and second >= self.steps.at
        wall = a.at(second + (self.steps.by if stepped else 0.0))
        if self.last is not None:
            tolerance = allowance(round_trip_s=0.0, elapsed_s=second - self.last[1])
            step = step_between(
                last_wall=self.last[0], last_mono=self.last[1], wall=wall, mono=second, tolerance=tolerance
            )
            if step:
                self.base = corrected(self.base, step=step, wall=wall)
        self.last = (wall, second)
        return self.base.time(wall)


def replay(name: str, *, steps: Steps | None = None) -> list[Round]:
    """Every round after the first look, which is the baseline."""
    series, stepped = Series.load(name), steps or Steps()
    neighbors = [Neighbor(w, series, stepped) for w in WITNESSES]
    clock, memory, tally = ControllersClock(stepped), dict[str, Memory](), Tally()
    rounds: list[Round] = []
    for number, second in enumerate(series.seconds):
        now = clock.now(second)
        seen = facts(*(n.answer(number) for n in neighbors), at=now)
        judgement = judge(seen, memory=memory, policy=policy(), disconnect_at=a.T0)
        memory = judgement.memory
        if number:
            interval = timedelta(seconds=series.interval)
            tally = count(tally, judgement.verdict, at=now, interval=interval)
            rounds.append(Round(second, judgement.verdict, judgement.reasons, tally))
    return rounds


def verdicts(rounds: list[Round]) -> list[tuple[Verdict, float, float]]:
    """Runs of one verdict: (verdict, first second, last second)."""
    runs: list[tuple[Verdict, float, float]] = []
    for one in rounds:
        if runs and runs[-1][0] is one.verdict:
            runs[-1] = (one.verdict, runs[-1][1], one.second)
        else:
            runs.append((one.verdict, one.second, one.second))
    return runs


def dead_enough_at(rounds: list[Round], *, min_silence: float) -> float | None:
    """The second from which on the host may be fenced."""
    under: Policy = policy(min_silence=timedelta(seconds=min_silence))
    return next((r.second for r in rounds if dead_enough(r.tally, under)), None)


def _beats(spans: list[list[float]], second: float) -> int:
    """The counter of a record that is written every five seconds within the spans."""
    written = sum(max(0.0, min(second, end) - begin) // BEAT_S + 1 for begin, end in spans if begin <= second)
    return 1000 + int(written)


def _names() -> list[str]:
    return [file.stem for file in sorted(FOLDER.glob("*.json"))]


# -- what each of them must come to

Runs = list[tuple[Verdict, float, float]]

EXPECTED: dict[str, tuple[Runs, dict[float, float | None]]] = {
    "dead_host": ([(DEAD, 15, 150)], {30: 60, 60: 75, 130: 150}),
    "atime_only": ([(DEAD, 15, 150)], {30: 60, 60: 75, 130: 150}),
    "idle_guest": ([(ALIVE, 60, 1920)], {30: None, 60: None, 130: None}),
    "late_flush": ([(DEAD, 15, 30), (ALIVE, 45, 45), (DEAD, 60, 195)], {30: 105, 60: 120, 130: 195}),
    "delegation_v3_holder_dead": ([(ALIVE, 15, 105), (DEAD, 120, 255)], {30: 165, 60: 180, 130: 255}),
    "delegation_v4_holder_dead": ([(INCONCLUSIVE, 15, 60), (DEAD, 75, 165)], {30: 120, 60: 135, 130: None}),
    "delegation_mixed_clients": ([(ALIVE, 15, 105), (DEAD, 120, 225)], {30: 165, 60: 180, 130: None}),
    "delegation_client_clock": ([(DEAD, 15, 15), (ALIVE, 30, 150)], {30: None, 60: None, 130: None}),
    "server_reboot": (
        [(DEAD, 15, 15), (INCONCLUSIVE, 30, 210), (DEAD, 225, 330)],
        {30: 270, 60: 285, 130: None},
    ),
    "cached_answers": ([(INCONCLUSIVE, 15, 120)], {30: None, 60: None, 130: None}),
    "full_pool": ([(INCONCLUSIVE, 15, 150)], {30: None, 60: None, 130: None}),
    "failover_other_inode": (
        [(DEAD, 15, 45), (INCONCLUSIVE, 60, 60), (DEAD, 75, 225)],
        {30: 75, 60: 75, 130: 150},
    ),
    "restored_image": (
        [(DEAD, 15, 15), (INCONCLUSIVE, 30, 30), (ALIVE, 45, 120)],
        {30: None, 60: None, 130: None},
    ),
    "only_ctime": ([(DEAD, 15, 30), (ALIVE, 45, 45), (DEAD, 60, 165)], {30: 105, 60: 120, 130: None}),
    "only_blocks": ([(DEAD, 15, 30), (ALIVE, 45, 45), (DEAD, 60, 165)], {30: 105, 60: 120, 130: None}),
}
"""name -> (runs of one verdict as first and last second; for each min_silence, when the host may be fenced)"""

BUFFERED = ("buffered_writer", "hidden_writer")
"""Where only ``min_silence`` and the heartbeat stand between a living writer and its death."""


def test_every_recorded_series_has_its_expectation() -> None:
    assert set(_names()) == {*EXPECTED, *BUFFERED}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_series_comes_to_its_verdicts_and_no_earlier_to_death(name: str) -> None:
    rounds = replay(name)
    runs, deaths = EXPECTED[name]
    assert verdicts(rounds) == runs
    assert {m: dead_enough_at(rounds, min_silence=m) for m in deaths} == deaths


def test_a_buffered_writer_never_is_silent_for_long_enough() -> None:
    rounds = replay("buffered_writer")
    assert {r.verdict for r in rounds} == {DEAD, ALIVE}
    assert max(r.tally.silence for r in rounds) < timedelta(seconds=31)
    assert dead_enough_at(rounds, min_silence=60) is None


def test_a_writer_that_shows_after_lease_and_flush_takes_the_longer_silence() -> None:
    """What min_silence of 130 s is for where guests' disks are buffered: 60 s would have been wrong here."""
    rounds = replay("hidden_writer")
    assert dead_enough_at(rounds, min_silence=60) == 65
    assert dead_enough_at(rounds, min_silence=130) is None
    assert rounds[-1].verdict is ALIVE


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("server_reboot", Reason.NO_POSITIVE_CONTROL),
        ("server_reboot", Reason.STORAGE_UNREADABLE),
        ("full_pool", Reason.NO_POSITIVE_CONTROL),
        ("cached_answers", Reason.NO_POSITIVE_CONTROL),
        ("failover_other_inode", Reason.INODE_CHANGED),
        ("delegation_v4_holder_dead", Reason.STORAGE_UNREADABLE),
        ("delegation_v3_holder_dead", Reason.DISK_MOVES_WITHOUT_HEARTBEAT),
        ("idle_guest", Reason.AGENT_ONLY),
    ],
)
def test_what_it_came_to_is_told_by_its_code(name: str, reason: Reason) -> None:
    assert reason in {r for one in replay(name) for r in one.reasons}


def test_in_grace_the_first_rounds_with_answers_still_prove_nothing() -> None:
    """Reads answer from 120 s on; nobody's heartbeat arrives before 215 s."""
    grace = [r for r in replay("server_reboot") if 120 <= r.second < 215]
    assert grace
    assert all(Reason.NO_POSITIVE_CONTROL in r.reasons for r in grace)


# -- clocks (rule 12): an hour, forwards or back, between any two rounds


def between_rounds(name: str) -> list[float]:
    """Every moment between two looks; of long series some."""
    looks = Series.load(name).seconds
    moments = [(before + after) / 2 for before, after in itertools.pairwise(looks)]
    return moments[:: max(1, len(moments) // 12)]


@pytest.mark.parametrize("by", [-HOUR, HOUR])
@pytest.mark.parametrize("name", _names())
@pytest.mark.parametrize("whose", ["server", "controller", "both"])
def test_an_hour_between_any_two_rounds_changes_nothing(name: str, whose: str, by: float) -> None:
    as_recorded = replay(name)
    for moment in between_rounds(name):
        steps = Steps(at=moment, by=by, server=whose != "controller", controller=whose != "server")
        stepped = replay(name, steps=steps)
        assert [(r.verdict, r.reasons, r.tally.dead) for r in stepped] == [
            (r.verdict, r.reasons, r.tally.dead) for r in as_recorded
        ], moment
        for silence in (30, 60, 130):
            expected = dead_enough_at(as_recorded, min_silence=silence)
            assert dead_enough_at(stepped, min_silence=silence) == expected, moment


@pytest.mark.parametrize("name", _names())
def test_no_neighbors_clock_is_compared_with_another(name: str) -> None:
    """All that an agent tells are ages by its own boot time, wherever that began; its wall clock has no say at all."""
    elsewhere = Steps(boottime={"w1": 5_000_000.0, "w2": -9_000.0})
    assert replay(name, steps=elsewhere) == replay(name)


def test_the_steps_are_real_ones() -> None:
    """Guards the guard: without its correction a stepped controller would start counting again."""
    clock = ControllersClock(Steps(at=10.0, by=HOUR, controller=True))
    first, uncorrected = clock.now(0.0), a.at(20.0 + HOUR)
    assert uncorrected - first > timedelta(seconds=HOUR)
    assert clock.now(20.0) - first == timedelta(seconds=20)
    neighbor = Neighbor("w1", Series.load("late_flush"), Steps(at=20.0, by=HOUR, server=True))
    before, after = (neighbor.answer(n).readings[0].state for n in (2, 3))
    assert before is not None
    assert after is not None
    assert after.mtime_ns - before.mtime_ns == int((34.5 + HOUR) * 1e9)
