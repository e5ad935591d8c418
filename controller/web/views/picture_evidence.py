"""The picture's lanes of what was seen: each witness's reports, heartbeats and last writes per pool, power reads.

A round's evidence is what ``services.rounds`` keeps of it. All times are hostfence's own: an agent tells how long ago
something moved, a storage server's times are compared with its own alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from controller.domain.evidence import FileState, Memory
from controller.domain.incident import Incident
from controller.domain.model import Event, RoundRecord
from controller.domain.reasons import Reason
from controller.domain.words import label
from controller.web.timing import span
from controller.web.views.picture_marks import Mark

SAME_BEAT = timedelta(seconds=2)
"""Two looks at one heartbeat tell its last move within so much of each other."""
_BEATS = "/.hostfence/"
_POWER = {"on": "on", "off": "off"}


def round_marks(runs: Iterable[Any]) -> list[Mark]:
    """One mark a run of rounds; ``runs`` are :class:`controller.domain.model.RoundRun`."""
    return [
        Mark(
            at=run.first_at,
            until=run.last_at,
            look=run.verdict,
            says=f"{run.verdict}{_why(run.reasons)}" + (f", {run.counted} dead in a row" if run.counted else ""),
            count=run.last - run.first + 1,
        )
        for run in runs
    ]


def witness_marks(rounds: Iterable[RoundRecord]) -> dict[str, list[Mark]]:
    """Host id of each witness -> its reports, in the order in which they were first asked."""
    found: dict[str, list[Mark]] = {}
    for one in rounds:
        for told in one.evidence.get("witnesses", ()):
            found.setdefault(told["host_id"], []).append(_report(one, told))
        for left_out in one.evidence.get("not_asked", ()):
            says = f"round {one.number}: not asked: {_words(left_out['reason'])}"
            found.setdefault(left_out["host_id"], []).append(Mark(at=one.at, look="mute", says=says))
    return found


def beat_marks(rounds: Sequence[RoundRecord]) -> dict[str, list[Mark]]:
    """Root of each pool -> the moments at which the host's heartbeat last moved there, as its witnesses tell it."""
    found: dict[str, list[datetime]] = {}
    unread: dict[str, list[Mark]] = {}
    for one in rounds:
        for told in one.evidence.get("witnesses", ()):
            for pool in told.get("pools", ()):
                subject, root = pool.get("subject") or {}, pool["root"]
                age = subject.get("moved_age")
                found.setdefault(root, [])
                if pool.get("code"):
                    says = f"round {one.number}: could not be read: {_words(pool['code'])}"
                    unread.setdefault(root, []).append(Mark(at=one.at, look="unknown", says=says))
                elif subject.get("known") and age is not None:
                    found[root].append(one.at - timedelta(seconds=age))
    newest = rounds[-1].at if rounds else None
    return {root: [*_beats(sorted(moved), newest), *unread.get(root, ())] for root, moved in found.items()}


def write_marks(incident: Incident) -> dict[str, list[Mark]]:
    """Root of each pool -> the last write to each disk there, as known at the newest round."""
    if incident.newest is None:
        return {}
    youngest: dict[str, dict[str, float]] = {}
    for witness_id, memory in incident.memory.items():
        for root, server_now in _own_files(witness_id, memory).items():
            for path, state in memory.files.items():
                if path.startswith(f"{root}/") and _BEATS not in path:
                    age = max(0.0, (server_now.mtime_ns - state.mtime_ns) / 1e9)
                    ages = youngest.setdefault(root, {})
                    ages[path] = min(age, ages.get(path, age))
    at = incident.newest.at
    return {
        root: [
            Mark(
                at=at - timedelta(seconds=age),
                look="write",
                says=f"last write to {path.removeprefix(root + '/')}, {span(timedelta(seconds=age))} before the newest "
                "round",
            )
            for path, age in sorted(ages.items())
        ]
        for root, ages in youngest.items()
    }


def power_marks(rounds: Iterable[RoundRecord], events: Iterable[Event]) -> list[Mark]:
    """What the power device said, in rounds and while off was to be proven."""
    found = [
        _power(one.at, told, f"round {one.number}") for one in rounds if (told := one.evidence.get("power")) is not None
    ]
    return found + [_power(one.at, one.data, "read") for one in events if one.kind == "power_read"]


def address_marks(rounds: Iterable[RoundRecord]) -> list[Mark]:
    """What the host's own address answered to the controller."""
    looks = {"agent_answered": "alive", "kernel_answers": "inconclusive", "no_answer": "mute", "unknown": "unknown"}
    found = []
    for one in rounds:
        told = one.evidence.get("address")
        if told is not None:
            reach = str(told["reach"])
            found.append(Mark(at=one.at, look=looks[reach], says=f"round {one.number}: {_words(reach)}"))
    return found


def _report(one: RoundRecord, told: Mapping[str, Any]) -> Mark:
    look = "mute" if Reason.WITNESS_SILENT in told["reasons"] else str(told["verdict"])
    detail = f": {told['detail']}" if told.get("detail") else ""
    says = (
        f"round {one.number}: {told['verdict']}{_why(told['reasons'])}{detail}, {told.get('files_read', 0)} files read"
    )
    return Mark(at=one.at, look=look, says=says)


def _beats(moved: Sequence[datetime], newest: datetime | None) -> list[Mark]:
    marks: list[Mark] = []
    for at in moved:
        if not marks or at - marks[-1].at > SAME_BEAT:
            marks.append(Mark(at=at, look="beat", says="the heartbeat last moved"))
    if marks and newest is not None and newest - marks[-1].at > SAME_BEAT:
        silent = newest - marks[-1].at
        marks.append(Mark(at=marks[-1].at, until=newest, look="silent", says=f"no heartbeat for {span(silent)}"))
    return marks


def _own_files(witness_id: str, memory: Memory) -> dict[str, FileState]:
    """Root -> the witness's own heartbeat file: the storage server's own *now*."""
    suffix = f"{_BEATS}{witness_id}"
    return {path.removesuffix(suffix): state for path, state in memory.files.items() if path.endswith(suffix)}


def _power(at: datetime, told: Mapping[str, Any], where: str) -> Mark:
    state, said = str(told["state"]), f": {told['said']}" if told.get("said") else ""
    return Mark(at=at, look=_POWER.get(state, "unknown"), says=f"{where}: power state {state}{said}")


def _why(reasons: Iterable[str]) -> str:
    said = ", ".join(map(_words, reasons))
    return f" ({said})" if said else ""


def _words(code: str) -> str:
    return label(code) if isinstance(code, Reason) else str(code).replace("_", " ")
