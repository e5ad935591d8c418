"""Every hand-written story is replayed from every intermediate state: killed after each commit, restarted, same end."""

from dataclasses import replace
from itertools import pairwise

import pytest

from controller.domain.incident import State
from controller.domain.power import PowerAction
from tests.simulation.hardware import Fault
from tests.simulation.plan import FAST, Mishap, Plan
from tests.simulation.sim import Outcome, Simulation, simulate

DIES_AT = 40.0
AFTER_THE_END_S = 120.0
MANY = 25
"""A hold goes on and on: after so many commits only every tenth."""

HANGS = Mishap(DIES_AT, "hang", ("h1",))
IGNORES = Mishap(DIES_AT + 1, "bmc", ("h1", "ignores_off", True, 900.0))

STORIES: dict[str, Plan] = {
    "a dead host is fenced": Plan(seed=1, mishaps=(HANGS,)),
    "a host that is off already": Plan(seed=1, mishaps=(Mishap(DIES_AT, "power_loss", ("h1",)),)),
    "a reboot": Plan(seed=1, mishaps=(HANGS,), settings=FAST | {"action": "reboot"}),
    "action none": Plan(seed=1, mishaps=(HANGS,), settings=FAST | {"action": "none"}),
    "action blink": Plan(seed=1, mishaps=(HANGS,), settings=FAST | {"action": "blink"}),
    "an agent alone is gone": Plan(seed=1, mishaps=(Mishap(DIES_AT, "fault", ("h1", Fault.AGENT_DOWN, 900.0)),)),
    "a host that comes back": Plan(seed=1, mishaps=(Mishap(DIES_AT, "isolate", ("h1", 25.0)),)),
    "a BMC that accepts and does nothing": Plan(seed=1, mishaps=(HANGS, IGNORES)),
    "a fenced host that returns": Plan(seed=1, mishaps=(HANGS, Mishap(200.0, "technician", ("h1", True)))),
    "a release in steps": Plan(seed=1, mishaps=(HANGS,), guests=2, slow_release=True),
    "the second power device": Plan(
        seed=1, mishaps=(HANGS, Mishap(DIES_AT, "bmc_unreachable", ("h1", 900.0))), second_devices=True
    ),
    "a BMC wired to another host": Plan(seed=1, mishaps=(HANGS, Mishap(DIES_AT + 5, "wrong_bmc", ("h1", "h2")))),
    "a person who vouches": Plan(seed=1, mishaps=(HANGS, IGNORES, Mishap(260.0, "acknowledge", ("h1", True)))),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", STORIES)
def test_killed_after_any_commit_a_story_ends_the_same(story: str) -> None:
    plan = replace(STORIES[story], ends_at=380.0)
    whole = simulate(plan)
    commits = whole.simulation.telling_commits
    assert len(commits) > 3
    for nth in [*commits[:MANY], *commits[MANY::10]]:
        killed = _killed_after(plan, nth)
        said = f"killed after commit {nth}\n{killed.story}"
        assert not killed.breaches, f"{killed.breaches}\n{said}"
        assert not killed.simulation.crashes, killed.simulation.crashes[0]
        assert _end(killed) == _end(whole), said
        sent, meant = _commands(killed), _commands(whole)
        # An intent that died with its controller may have been sent: it counts, and is not made up for.
        assert sent == meant or (sent == meant[1:] and sent[0] == meant[0]), said


def _killed_after(plan: Plan, nth: int) -> Outcome:
    def kill(simulation: Simulation) -> None:
        simulation.kill_after_commit = nth

    return simulate(replace(plan, ends_at=plan.ends_at + AFTER_THE_END_S), prepare=kill)


def _end(outcome: Outcome) -> dict[str, object]:
    """How it ended: every incident's state, what the cloud was told."""
    simulation = outcome.simulation
    incidents = sorted(simulation.store.tables.incidents.values(), key=lambda i: i.opened_at)
    return {
        "states": [(i.host_id, State(i.state)) for i in incidents],
        "released": [host_id for _, host_id in simulation.universe.cloud.released],
        # Of the host that the story is about: one that a wrong BMC took with it may be dead before all is stopped.
        "quarantined": "h1" in simulation.universe.cloud.quarantined,
    }


def _commands(outcome: Outcome) -> list[tuple[PowerAction, str]]:
    """What reached the devices, and which machine it hit. What takes nothing down may be said twice: it counts once."""
    sent = [(e.action, e.machine) for e in outcome.simulation.universe.power.commands()]
    again = [here == before and not here[0].destructive for before, here in pairwise(sent)]
    return sent[:1] + [one for one, repeats in zip(sent[1:], again, strict=True) if not repeats]
