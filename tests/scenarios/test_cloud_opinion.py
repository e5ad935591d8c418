"""What the cloud says of a host while hostfence looks for itself: two observers must agree before a power-down."""

from controller.domain.evidence import CloudSays
from controller.domain.incident import State
from controller.domain.model import EffectKind
from controller.domain.reasons import Reason
from tests.fixtures.house import a_house


async def test_a_cloud_that_still_says_up_is_waited_for_with_fresh_evidence_and_without_a_hold() -> None:
    house = await a_house()
    house.cloud.opinion = CloudSays.UP
    await house.dead()
    await house.run(200)
    assert (await house.incident()).state is State.CHECKING
    assert house.power.commands() == []
    assert EffectKind.QUARANTINE in [e.kind for e in await house.effects()]
    house.cloud.opinion = CloudSays.NOT_UP
    fenced = await house.until(State.FENCED, within=60)
    assert (await house.told()).count("held") == 0
    assert fenced.cloud_seen_down


async def test_a_cloud_that_never_stops_saying_up_holds_at_the_limit_and_stays_held_until_it_does() -> None:
    house = await a_house(checking_limit=120)
    house.cloud.opinion = CloudSays.UP
    await house.dead()
    await house.until(State.HELD)
    await house.run(300)
    held = await house.incident()
    assert (held.state, held.reasons) == (State.HELD, (Reason.CLOUD_SAYS_UP,))
    assert (await house.told()).count("held") == 1
    house.cloud.opinion = CloudSays.NOT_UP
    await house.until(State.FENCED)
