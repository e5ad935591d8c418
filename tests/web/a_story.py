"""A whole incident put into a site's rows, as the engine would have left it: fenced, held for a day, under way."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.domain.evidence import FileState, Machine, Memory, Verdict
from controller.domain.incident import Command, CommandStatus, Incident, NewestRound, State
from controller.domain.model import (
    Attempt,
    Effect,
    EffectKind,
    EffectStatus,
    Event,
    Level,
    RoundRecord,
    Severity,
)
from controller.domain.power import Accepted
from controller.domain.reasons import Reason
from controller.domain.tally import Tally
from tests.fixtures import builders as a
from tests.web.site import Site

ROOT = "/mnt/primary"
MACHINES = (
    Machine(id="m1", name="shop-db"),
    Machine(id="m2", name="shop-web", restart=False),
    Machine(id="m3", name="r-4-VM", kind="router"),
)


async def neighbors(site: Site) -> None:
    """kvm-7 in cluster kvm-berlin, with two neighbors."""
    await site.add_cluster("c1", name="kvm-berlin")
    for host_id, name in (("h1", "kvm-7"), ("h2", "kvm-8"), ("h3", "kvm-9")):
        await site.add_host(host_id, name=name, answers=host_id != "h1")
    await site.settings(mode="enforce", action="off")
    for level, owner in ((Level.CLUSTER, "c1"), (Level.HOST, "h1")):
        await site.settings(level, owner, mode="enforce")


def evidence(at: datetime, moved: datetime, verdict: str, *, power: str = "on", mute: bool = False) -> dict[str, Any]:
    """What `services.rounds` keeps: two witnesses, one pool."""
    beat = {"known": True, "boot_id": "b", "counter": 7, "moved_age": (at - moved).total_seconds(), "sampled_age": 1.0}
    pool = {"root": ROOT, "code": None, "detail": "", "own": None, "subject": beat}
    silent: dict[str, Any] = {"host_id": "h3", "verdict": "inconclusive", "reasons": ["witness_silent"]}
    silent |= {"detail": "no answer", "reach": "unknown", "took_s": 3.0, "pools": []}
    good = {"verdict": verdict, "reasons": [], "detail": "", "reach": "no_answer", "took_s": 0.1, "pools": [pool]}
    return {
        "address": {"reach": "no_answer", "detail": ""},
        "power": {"state": power, "code": "none", "said": ""},
        "cloud": "not_up",
        "disks": {"known": True, "targets": 3, "uncheckable": [], "elsewhere": []},
        "not_asked": [],
        "witnesses": [{"host_id": "h2", "files_read": 3, **good}, silent if mute else {"host_id": "h3", **good}],
    }


class Story:
    """Rows as they would stand; :meth:`store` writes them."""

    def __init__(self, began: datetime, incident: Incident) -> None:
        self.began = began
        self.incident = incident
        self.events: list[Event] = []
        self.rounds: list[RoundRecord] = []
        self.attempts: list[Attempt] = []
        self.effects: list[Effect] = []

    def at(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def event(self, seconds: float, kind: str, text: str = "", **more: Any) -> None:
        number = len(self.events)
        made = a.event(f"e{number}", at=self.at(seconds), kind=kind, text=text)
        self.events.append(replace(made, incident_id=self.incident.id, **more))

    def round(self, seconds: float, verdict: str, counted: int, *reasons: Reason, **more: Any) -> None:
        record = a.round_record(
            len(self.rounds) + 1,
            incident_id=self.incident.id,
            at=self.at(seconds),
            verdict=verdict,
            counted=counted,
            reasons=reasons,
            evidence=evidence(self.at(seconds), self.at(-4), verdict, **more),
        )
        self.rounds.append(record)

    async def store(self, site: Site) -> Incident:
        newest = self.rounds[-1] if self.rounds else None
        if newest is not None:
            verdict = Verdict(newest.verdict)
            one = NewestRound(number=newest.number, at=newest.at, verdict=verdict, reasons=newest.reasons)
            self.incident = replace(self.incident, rounds=len(self.rounds), newest=one, memory=self._memory(newest.at))
        async with site.store.transaction() as tx:
            assert await tx.open_incident(replace(self.incident, state=State.SUSPECT, closed_at=None))
            await tx.save_incident(self.incident, end_lease=True)
            for event in self.events:
                await tx.add_event(event)
            for record in self.rounds:
                await tx.add_round(record)
            for attempt in self.attempts:
                await tx.add_attempt(attempt)
            for effect in self.effects:
                await tx.add_effect(effect)
        return self.incident

    def _memory(self, at: datetime) -> dict[str, Memory]:
        def file(moved: datetime) -> FileState:
            ns = int(moved.timestamp() * 1e9)
            return FileState(device="0:1", inode=1, size=1, blocks=1, mtime_ns=ns, ctime_ns=ns)

        files = {
            f"{ROOT}/.hostfence/h2": file(at),
            f"{ROOT}/shop-db.qcow2": file(self.at(-9)),
            f"{ROOT}/shop-web.qcow2": file(self.at(-3600)),
        }
        return {"h2": Memory(files=files)}


def _incident(began: datetime, incident_id: str, **changes: Any) -> Incident:
    opened = began + timedelta(seconds=18)
    return a.incident(
        incident_id,
        opened_at=opened,
        disconnect_at=began,
        machines=MACHINES,
        **{"entered_at": opened, "next_step_at": opened, **changes},
    )


def fenced(now: datetime, incident_id: str = "i1") -> Story:
    """From silence to released, closed a moment ago."""
    began = now - timedelta(seconds=140)
    closed = began + timedelta(seconds=132)
    made = _incident(began, incident_id, state=State.FENCED, entered_at=closed, closed_at=closed, next_step_at=None)
    command = Command(status=CommandStatus.ANSWERED, count=1, attempt_id="a1", last_at=began + timedelta(seconds=100))
    story = Story(began, replace(made, command=command, reasons=(Reason.PROVEN_OFF,), quarantined=True))
    until_dead(story, rounds=5)
    story.event(95, "state", from_state="checking", to_state="fencing", reasons=(Reason.HOST_DEAD,))
    story.round(100, "dead", 6)
    story.event(100, "intent", "power off through ipmi://bmc-h1:623/", to_state="fencing", reasons=(Reason.HOST_DEAD,))
    taken = {"accepted": "yes", "code": "none", "said": "Chassis Power Control: Down/Off"}
    story.event(101, "state", from_state="fencing", to_state="verifying", data=taken)
    for seconds, state in ((102, "on"), (104, "off"), (106, "off"), (108, "off")):
        data = {"state": state, "code": "none", "said": "", "off_reads": 1, "reads": 1}
        story.event(seconds, "power_read", f"power state {state}", to_state="verifying", data=data)
    story.event(108, "state", from_state="verifying", to_state="releasing", reasons=(Reason.PROVEN_OFF,))
    story.round(126, "dead", 6, power="off")
    released = {"said": "", "not_started": ["r-4-VM"]}
    why = (Reason.PROVEN_OFF,)
    story.event(132, "state", from_state="releasing", to_state="fenced", reasons=why, data=released)
    story.attempts.append(
        a.attempt(incident_id=incident_id, intended_at=story.at(100), finished_at=story.at(101), accepted=Accepted.YES)
    )
    story.effects.append(
        a.effect(
            "x2",
            incident_id=incident_id,
            kind=EffectKind.RELEASE,
            status=EffectStatus.DONE,
            intended_at=story.at(126),
            finished_at=story.at(132),
        )
    )
    return story


def until_dead(story: Story, *, rounds: int) -> None:
    """Opened, checked, quarantined; ``rounds`` dead ones, one of them without an answer of a witness."""
    story.event(18, "opened", "watch: no answer for 20 s", to_state="suspect")
    story.round(19, "inconclusive", 0, Reason.NO_BASELINE)
    story.event(19, "state", from_state="suspect", to_state="checking")
    for number in range(1, rounds + 1):
        story.round(20 + 15 * number, "dead", number, mute=number == 2)
    story.effects.append(
        a.effect(
            incident_id=story.incident.id,
            status=EffectStatus.DONE,
            intended_at=story.at(35),
            finished_at=story.at(36),
            said="host disabled",
        )
    )


def checking(now: datetime, incident_id: str = "i1", *, rounds: int = 2) -> Story:
    """Under way: that many dead rounds, the next one due in 9 s."""
    began = now - timedelta(seconds=26 + 15 * rounds)
    tally = Tally(dead=rounds, first_at=began + timedelta(seconds=35), last_at=now - timedelta(seconds=6))
    due = now + timedelta(seconds=9)
    made = _incident(began, incident_id, state=State.CHECKING, tally=tally, next_step_at=due, quarantined=True)
    entered = began + timedelta(seconds=19)
    why = (Reason.NOT_SILENT_LONG_ENOUGH,)
    story = Story(began, replace(made, checking_since=entered, entered_at=entered, reasons=why))
    until_dead(story, rounds=rounds)
    return story


def held_for_a_day(now: datetime, incident_id: str = "i1", *, rounds: int = 1500) -> Story:
    """Dead, but paused: nothing but rounds for a day, a person who tried, and a moment of doubt."""
    began = now - timedelta(hours=24)
    entered = began + timedelta(seconds=110)
    made = _incident(began, incident_id, state=State.HELD, entered_at=entered, held_since=entered, quarantined=True)
    due = now + timedelta(seconds=40)
    story = Story(began, replace(made, reasons=(Reason.PAUSED, Reason.STORM), next_step_at=due))
    until_dead(story, rounds=5)
    why = (Reason.PAUSED,)
    story.event(110, "state", from_state="checking", to_state="held", reasons=why)
    for number in range(rounds):
        seconds = 120 + number * (86400 - 130) / rounds
        if 700 <= number < 720:
            story.round(seconds, "inconclusive", 5, Reason.TOO_FEW_WITNESSES, mute=True)
        else:
            story.round(seconds, "dead", 5)
    more = (Reason.PAUSED, Reason.STORM)
    story.event(30_000, "reasons", "still held", to_state="held", reasons=more)
    story.event(50_000, "acknowledgement_refused", "its disks still move", to_state="held", actor="grace")
    return story


async def tell(site: Site, incident_id: str, now: datetime) -> None:
    """One notice, to two channels."""
    notice = a.notice(
        incident_id=incident_id, at=now, kind="fencing", what="kvm-7 is dead; its power is being cut.", host_id="h1"
    )
    async with site.store.transaction() as tx:
        await tx.add_notice(replace(notice, severity=Severity.CRITICAL), channels=("operators", "on-call"))
