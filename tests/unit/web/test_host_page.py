"""The host page's views: devices as they were tested, heartbeats as neighbors tell of them."""

from datetime import timedelta

import pytest

from controller.domain.evidence import Beat
from controller.domain.policy import BmcSettings, Policy
from controller.domain.power import PowerCode
from controller.domain.watch import PoolSeen, Seen
from controller.services.sights import Sight, Sights
from controller.web.views.host_page import FAILS, MOVES, STILL, UNSEEN, UNTRIED, WORKS, beats, devices
from shared.enums import Reach
from tests.fixtures import builders as a

T0 = a.T0
BMC = BmcSettings(host="192.0.2.101")
ONE = Policy(bmc=BMC, devices=(BMC,))


def seen(beat: Beat | None, *, told_ago_s: float = 0.0) -> Sights:
    pool = PoolSeen(root="/mnt/p", readable=True, others={} if beat is None else {"h1": beat})
    sight = Sight(
        at=T0 - timedelta(seconds=told_ago_s),
        seen=Seen(host_id="h2", reach=Reach.AGENT_ANSWERED, pools=(pool,)),
    )
    return Sights(known={"h2": sight}, polled=True)


@pytest.mark.parametrize(
    ("moved_age", "told_ago_s", "look"),
    [(2.0, 0.0, MOVES), (59.0, 0.0, MOVES), (59.0, 5.0, STILL), (75.0, 0.0, STILL), (None, 0.0, UNSEEN)],
)
def test_a_heartbeat_is_as_old_as_it_was_told_plus_the_time_since(
    moved_age: float | None, told_ago_s: float, look: object
) -> None:
    found = beats(a.host(), seen(Beat(known=True, moved_age=moved_age), told_ago_s=told_ago_s), {"h2": "kvm-2"}, now=T0)
    assert [(one.witness, one.look) for one in found] == [("kvm-2", look)]


@pytest.mark.parametrize(
    "beat", [Beat(known=True, moved_age=1.0, withdrawn=True), Beat(known=True, moved_age=1.0, disputed=True)]
)
def test_a_heartbeat_that_tells_nothing_is_not_said_to_move_or_to_stand_still(beat: Beat) -> None:
    assert [one.look for one in beats(a.host(), seen(beat), {"h2": "kvm-2"}, now=T0)] == [UNSEEN]


def test_a_neighbor_of_another_cluster_says_nothing_here() -> None:
    assert beats(a.host(), seen(Beat(known=True, moved_age=1.0)), {}, now=T0) == ()


@pytest.mark.parametrize(
    ("identity", "code", "look"),
    [
        (BMC.identity, PowerCode.NONE, WORKS),
        (BMC.identity, PowerCode.BAD_CREDENTIALS, FAILS),
        ("ipmi://old:623/", PowerCode.NONE, UNTRIED),
    ],
)
def test_a_device_is_known_only_by_its_own_test(identity: str, code: PowerCode, look: object) -> None:
    health = a.health(bmc_identity=identity, bmc_checked_at=T0, bmc_code=code)
    assert [one.look for one in devices(ONE, health)] == [look]


def test_a_host_without_a_device_has_none() -> None:
    assert devices(Policy(), a.health()) == ()
