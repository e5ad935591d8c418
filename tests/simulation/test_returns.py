"""A host that is back by itself, in every state an incident can be in: with the boot it had, and with a new one.

*With the boot it had*: it never was off, only cut off from everybody (and where it was commanded off, its BMC lied or
did nothing). *With a new one*: somebody switched it off and on again.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from controller.domain.incident import State
from controller.domain.power import PowerAction
from controller.domain.reasons import Reason
from tests.simulation.plan import Mishap
from tests.simulation.test_stories import EIGHT, Told

NEVER_CAME_BACK_S = 2000.0
OFF, OFFS = [(PowerAction.OFF, "h1")], [(PowerAction.OFF, "h1")] * 3

LIVES_UNSEEN = (Mishap(40, "isolate", ("h1", NEVER_CAME_BACK_S)),)
LIES = Mishap(40, "bmc", ("h1", "lies_off", True, NEVER_CAME_BACK_S))
IGNORES = Mishap(40, "bmc", ("h1", "ignores_off", True, NEVER_CAME_BACK_S))
HANGS = (Mishap(40, "hang", ("h1",)),)
NO_SLOT = {"max_actions": 0}


@dataclass(frozen=True)
class Case:
    """``ends``: the incident's last state. ``held_on``: what it is held for then. ``clean``: in use as before."""

    when: str
    ends: State
    commands: list[tuple[PowerAction, str]]
    before: tuple[Mishap, ...] = ()
    settings: dict[str, Any] | None = None
    clean: bool = True
    told: tuple[str, ...] = ()
    held_on: tuple[Reason, ...] = ()
    paused: bool = False
    released: bool = False


BEFORE_THE_COMMAND = [
    Case("suspect", State.RECOVERED, []),
    Case("checking", State.RECOVERED, []),
    Case("held", State.RECOVERED, [], settings=NO_SLOT, told=("held", "recovered")),
    Case("notified", State.NOTIFIED, [], settings={"action": "none"}, told=("action_none",)),
    Case("cancelled", State.CANCELLED, [], before=(Mishap(65, "cancel", ("h1",)),), told=("cancelled",)),
]
ON_AND_OFF = [(PowerAction.BLINK, "h1"), (PowerAction.BLINK_OFF, "h1")]
CONTRADICTED = ("fencing", "contradiction", "recovered")

WITH_THE_BOOT_IT_HAD = [
    *BEFORE_THE_COMMAND,
    Case("fencing", State.RECOVERED, []),
    Case("notified", State.NOTIFIED, ON_AND_OFF, settings={"action": "blink"}, told=("blink",)),
    Case("verifying", State.RECOVERED, OFF, before=(IGNORES,), told=CONTRADICTED),
    Case("held", State.RECOVERED, OFFS, before=(IGNORES,), told=("held", *CONTRADICTED)),
    # A BMC that goes on saying *off* of a host that answers: nobody but a person can tell what is what.
    Case(
        *("verifying", State.HELD, OFF, (LIES,)),
        clean=False,
        told=("fencing", "contradiction"),
        held_on=(Reason.CONTRADICTION, Reason.AGENT_ANSWERS),
    ),
    Case(
        *("releasing", State.HELD, OFF, (LIES,)),
        clean=False,
        told=("fencing", "off_proven", "contradiction"),
        held_on=(Reason.CONTRADICTION, Reason.AGENT_ANSWERS),
        paused=True,
    ),
    Case(
        *("fenced", State.FENCED, OFF, (LIES,)),
        clean=False,
        told=("fencing", "off_proven", "fenced", "contradiction"),
        paused=True,
        released=True,
    ),
]

WITH_A_NEW_ONE = [
    *BEFORE_THE_COMMAND,
    # It has power, and is not up yet: nothing of it can be seen in the last look.
    Case("fencing", State.FENCED, OFF, clean=False, told=("fencing", "off_proven", "fenced"), released=True),
    Case("verifying", State.RECOVERED, OFF, told=CONTRADICTED),
    Case("releasing", State.RECOVERED, OFF, told=("off_proven", *CONTRADICTED)),
    Case("held", State.RECOVERED, OFFS, before=(IGNORES,), told=("held", *CONTRADICTED)),
    Case("fenced", State.FENCED, OFF, told=("fencing", "off_proven", "fenced", "returned"), released=True),
]


def named(case: Case) -> str:
    return " ".join(
        [case.when, *(m.args[1] for m in case.before if m.kind == "bmc"), *map(str, (case.settings or {}).values())]
    )


@pytest.mark.parametrize("case", WITH_THE_BOOT_IT_HAD, ids=named)
def test_back_with_the_boot_it_had(case: Case) -> None:
    told = _told(case, *LIVES_UNSEEN, Mishap(40, "at_point", (f"after to {case.when}", "rejoin", "h1")))
    _ended(told, case)


@pytest.mark.parametrize("case", WITH_A_NEW_ONE, ids=named)
def test_back_with_a_new_boot(case: Case) -> None:
    pressed = [Mishap(40, "at_point", (f"after to {case.when}", "technician", "h1", on)) for on in (False, True)]
    _ended(_told(case, *HANGS, *pressed), case)


def test_back_and_silent_again_is_another_incident() -> None:
    told = Told(
        Mishap(40, "isolate", ("h1", 20.0)), Mishap(100, "hang", ("h1",)), ends_at=300.0, settings={}, hosts=EIGHT
    )
    assert [i.state for i in told.incidents] == [State.RECOVERED, State.FENCED]


def _told(case: Case, *mishaps: Mishap) -> Told:
    return Told(*mishaps, *case.before, ends_at=500.0, settings=case.settings or {}, hosts=EIGHT)


def _ended(told: Told, case: Case) -> None:
    (incident,) = told.incidents
    tables, cloud = told.simulation.store.tables, told.simulation.universe.cloud
    assert incident.state is case.ends, told.story
    assert told.commands == case.commands
    assert bool(told.released) is case.released
    assert set(case.held_on) <= set(incident.reasons)
    assert set(case.told) <= {n.kind for n in tables.notices.values()}
    assert any(p.reason == Reason.CONTRADICTION for p in tables.pauses.values()) is case.paused
    assert (cloud.quarantined == set()) is case.clean, "in use again, as it was before"
    health = tables.health["h1"]
    assert (health.armed and not health.fenced_by and incident.state is not State.HELD) is case.clean
