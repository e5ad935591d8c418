"""One host for people: could it be fenced if it died now, why not, its devices, its heartbeat as others see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from controller.domain.explain import Explanation
from controller.domain.gates import GATES, Gate, Readiness
from controller.domain.model import DeviceHealth, Health, Host
from controller.domain.policy import BmcSettings, Policy
from controller.domain.power import PowerCode
from controller.domain.watch import PoolSeen
from controller.services.sights import Sights
from controller.web.views.look import READINESS, Look

_STILL_S = 60.0
WORKS = Look("ok", "check", "answers")
FAILS = Look("bad", "alert", "does not answer as it should")
UNTRIED = Look("quiet", "question", "not tried yet")
MOVES = Look("ok", "pulse", "moves")
STILL = Look("bad", "cross", "stands still")
UNSEEN = Look("warn", "question", "not seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLine:
    """One gate: what it asks, how it stands, what would have to change."""

    look: Look
    asks: str
    text: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateGroup:
    """Gates about one thing. ``open``: something in it stands in the way, so that it is worth reading first."""

    title: str
    lines: tuple[GateLine, ...]
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer to "could it be fenced if it died now?"."""

    look: Look
    sentence: str
    against: tuple[GateLine, ...]
    groups: tuple[GateGroup, ...]
    stages: tuple[tuple[str, float], ...]
    margin_s: float | None
    could_tell: int
    required: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A power device as it was tested last. ``number``: counted from 1."""

    number: int
    address: str
    driver: str
    look: Look
    checked_at: datetime | None
    on_seen_at: datetime | None
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatView:
    """The host's heartbeat on one pool, as one neighbor sees it. ``age_s`` None: it never saw it move."""

    root: str
    witness: str
    look: Look
    age_s: float | None
    detail: str = ""


def why(explanation: Explanation) -> Why:
    """From the explainer's gates, the worst first."""
    lines = {id(gate): _line(gate) for gate in explanation.gates}
    against = [gate for gate in explanation.gates if gate.readiness in (Readiness.BLOCKED, Readiness.WAITS)]
    groups = [
        GateGroup(
            title=group.value,
            lines=tuple(lines[id(gate)] for gate in gates),
            open=any(gate in against for gate in gates),
        )
        for group, found in groupby(sorted(explanation.gates, key=_place), key=lambda gate: gate.group)
        for gates in (tuple(found),)
    ]
    return Why(
        look=READINESS[explanation.readiness],
        sentence=_sentence(explanation, against),
        against=tuple(lines[id(gate)] for gate in against),
        groups=tuple(groups),
        stages=tuple((step.text, step.latest_s) for step in explanation.timeline.steps),
        margin_s=explanation.timeline.margin_s,
        could_tell=explanation.could_tell,
        required=explanation.required,
    )


def devices(policy: Policy, health: Health) -> tuple[DeviceView, ...]:
    """The host's power devices, in the order in which they are tried."""
    known = (health.first, health.second)
    return tuple(
        _device(number, device, known[number - 1])
        for number, device in enumerate(policy.methods, start=1)
        if device.configured
    )


def beats(host: Host, sights: Sights, names: Mapping[str, str], *, now: datetime) -> tuple[BeatView, ...]:
    """What each neighbor's newest answer says of this host's heartbeat, by pool."""
    found = [
        _beat(pool, host, names[host_id], told_s=(now - sight.at).total_seconds())
        for host_id, sight in sights.known.items()
        if host_id != host.id and host_id in names
        for pool in sight.seen.pools
        if host.id in pool.others or not pool.readable
    ]
    return tuple(sorted(found, key=lambda one: (one.root, one.witness)))


def _sentence(explanation: Explanation, against: Sequence[Gate]) -> str:
    off = round(explanation.timeline.off_s)
    if explanation.incident_id:
        return "An incident is open: its page says what happens next."
    if not against:
        action = explanation.plan.action.value
        return f"If it died now, it would be found dead and proven off within {off} s (action {action})."
    stand = "one thing stands" if len(against) == 1 else f"{len(against)} things stand"
    return f"If it died now, it would not be fenced: {stand} in the way."


def _line(gate: Gate) -> GateLine:
    return GateLine(look=READINESS[gate.readiness], asks=GATES[gate.code].asks, text=gate.text, change=gate.change)


def _place(gate: Gate) -> int:
    return list(GATES).index(gate.code)


def _device(number: int, device: BmcSettings, known: DeviceHealth) -> DeviceView:
    mine = known if known.identity == device.identity else DeviceHealth(identity=device.identity)
    tried = WORKS if mine.code is PowerCode.NONE else FAILS
    return DeviceView(
        number=number,
        address=f"{device.host}:{device.port}",
        driver=device.driver,
        look=UNTRIED if mine.checked_at is None else tried,
        checked_at=mine.checked_at,
        on_seen_at=mine.on_seen_at,
        said=mine.said,
    )


def _beat(pool: PoolSeen, host: Host, witness: str, *, told_s: float) -> BeatView:
    beat = pool.others.get(host.id)
    if beat is None or beat.moved_age is None:
        return BeatView(root=pool.root, witness=witness, look=UNSEEN, age_s=None, detail=pool.detail)
    age = beat.moved_age + max(0.0, told_s)
    if beat.withdrawn or beat.disputed:
        said = "written by two hosts" if beat.disputed else "withdrawn by an orderly stop"
        return BeatView(root=pool.root, witness=witness, look=UNSEEN, age_s=age, detail=said)
    return BeatView(root=pool.root, witness=witness, look=MOVES if age <= _STILL_S else STILL, age_s=age)
