"""What explain promises against what the engine does: a host dies, and each stage comes when the timeline said."""

from datetime import datetime
from typing import Any

import pytest

from controller.domain import timeline as foretold
from controller.domain.incident import State
from controller.domain.model import EffectKind
from controller.domain.timeline import Stage, timeline
from controller.engine import watcher
from controller.engine.steps import verifying
from controller.services import look
from tests.fixtures.house import House, a_house

POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"check_interval": 5, "additional_checks": 1, "min_silence": 30, "grace": 0, "heartbeat_interval": 2},
    {"check_interval": 10, "additional_checks": 9, "grace": 45, "watch_timeout": 40},
    {"check_interval": 30, "min_silence": 240, "heartbeat_interval": 10, "watch_timeout": 60, "vanish_window": 60},
    {"off_reads": 6, "read_spacing": 5, "off_deadline": 120, "require_heartbeat": False},
    {"check_interval": 60, "additional_checks": 0, "min_silence": 30, "watch_timeout": 15, "vanish_window": 15},
)

SLACK_S = 2.0
"""The house's clock ticks in whole seconds."""

LOOSE_S = 75.0
"""Nobody in the house makes anybody wait: what it promises for deadlines that are used up is left over."""


@pytest.mark.parametrize("settings", POLICIES)
async def test_a_dead_host_goes_through_its_stages_when_they_were_foretold(settings: dict[str, Any]) -> None:
    house = await a_house(**settings)
    await house.run(10, watch=True, with_effects=True)
    promised = timeline(await house.policy())
    house.probing.die("h1")
    died = await house.clock.now()
    for _ in range(int(promised.release_s) + 10):
        await house.run(1, watch=True, with_effects=True)
        if await house.incidents() and not (await house.incident()).open:
            break
    assert (await house.incident()).state is State.FENCED
    came = {stage: (at - died).total_seconds() for stage, at in (await stages(house)).items()}
    for step in promised.steps:
        assert step.soonest_s - SLACK_S <= came[step.stage] <= step.latest_s + SLACK_S, (step, came)
        allowed = LOOSE_S + (await house.policy()).check_interval.total_seconds()
        assert step.latest_s - came[step.stage] <= allowed, "a promise that is always kept tells nothing"


async def stages(house: House) -> dict[Stage, datetime]:
    events = await house.events()
    quarantined = next(e for e in await house.effects() if e.kind is EffectKind.QUARANTINE)
    states = {e.to_state: e.at for e in events if e.kind == "state"}
    released = next(e for e in await house.effects() if e.kind is EffectKind.RELEASE)
    return {
        Stage.SUSPECTED: next(e.at for e in events if e.kind == "opened"),
        Stage.FIRST_DEAD_ROUND: quarantined.intended_at,
        Stage.DECIDED: states[State.FENCING],
        Stage.COMMAND: next(e.at for e in events if e.kind == "intent"),
        Stage.OFF_PROVEN: states[State.RELEASING],
        Stage.RELEASED: released.intended_at,
    }


def test_its_figures_are_the_engines() -> None:
    assert (foretold.POLL_S, foretold.POLL_DEADLINE_S) == (watcher.POLL_S, watcher.POLL_DEADLINE_S)
    assert (foretold.LONGEST_LOOK_S, foretold.LOOK_SHARE_OF_INTERVAL) == (look.LONGEST_ROUND_S, look.SHARE_OF_INTERVAL)
    assert verifying.OWN_ADDRESS_S == foretold.OWN_ADDRESS_S
