"""From what was read to figures."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from controller.domain.cloud import CloudReport
from controller.domain.figures import Counts
from controller.domain.incident import State
from controller.domain.model import ControllerRow, EffectKind, Level
from controller.domain.policy import Mode, Policy
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.domain.steady import Base
from controller.domain.vitals import Ailment, Finding, LoopState
from controller.metrics import families
from controller.metrics.families import Family
from controller.metrics.samples import (
    Sample,
    SiteSeen,
    of_agents,
    of_clock,
    of_process,
    of_readiness,
    of_site,
)
from controller.services.explaining import Explainer
from tests.fixtures import builders as a
from tests.fixtures.builders import at
from tests.fixtures.house import a_house

NOTHING: dict[str, Any] = {
    "incidents": {},
    "held": {},
    "held_since": None,
    "storms": {},
    "due_since": None,
    "leased": 0,
    "unfinished": 0,
    "effects": {},
    "effects_since": None,
    "pending": {},
    "pending_since": None,
    "dead": {},
}


def seen(*, counts: dict[str, Any] | None = None, **changes: Any) -> SiteSeen:
    default: dict[str, Any] = {
        "now": at(100),
        "counts": Counts(**{**NOTHING, **(counts or {})}),
        "clusters": (a.cluster(),),
        "hosts": (a.host("h1"), a.host("h2")),
        "healths": {},
        "policies": {"": Policy(), "c1": Policy()},
        "attempts": (),
        "pauses": (),
        "controllers": (),
        "report": None,
    }
    return SiteSeen(**{**default, **changes})


def values(samples: Iterable[Sample], family: Family) -> dict[tuple[str, ...], float]:
    found = [sample for sample in samples if sample.family is family]
    assert all(len(sample.labels) == len(family.labels) for sample in found)
    assert len({sample.labels for sample in found}) == len(found), "twice the same"
    return {sample.labels: sample.value for sample in found}


def one(samples: Iterable[Sample], family: Family) -> float | None:
    return values(samples, family).get(())


class TestSite:
    def test_every_open_state_and_every_reason_is_there_with_zero(self) -> None:
        samples = list(of_site(seen(counts={"incidents": {State.HELD: 2}, "held": {Reason.STORM: 1}})))
        assert values(samples, families.SITE_INCIDENTS) == {
            (state,): 2 if state is State.HELD else 0 for state in State if state.open
        }
        assert values(samples, families.SITE_HELD) == {(reason,): reason is Reason.STORM for reason in Reason}

    def test_ages_are_of_now_and_nothing_is_zero(self) -> None:
        ages = (families.SITE_HELD_FOR, families.SITE_LATE, families.SITE_EFFECTS_FOR, families.SITE_PENDING_FOR)
        samples = list(of_site(seen()))
        assert [one(samples, family) for family in ages] == [0, 0, 0, 0]
        since = {"held_since": at(10), "due_since": at(20), "effects_since": at(30), "pending_since": at(40)}
        samples = list(of_site(seen(counts=since)))
        assert [one(samples, family) for family in ages] == [90, 80, 70, 60]

    def test_what_is_under_way(self) -> None:
        samples = list(
            of_site(
                seen(
                    counts={
                        "leased": 3,
                        "unfinished": 1,
                        "effects": {EffectKind.QUARANTINE: 2},
                        "pending": {"mail": 4},
                        "dead": {"pager": 5},
                    }
                )
            )
        )
        assert one(samples, families.SITE_LEASES) == 3
        assert one(samples, families.SITE_UNFINISHED) == 1
        assert values(samples, families.SITE_EFFECTS) == {("quarantine",): 2}
        assert values(samples, families.SITE_PENDING) == {("mail",): 4}
        assert values(samples, families.SITE_DEAD) == {("pager",): 5}

    def test_caps_count_as_the_safeguards_do(self) -> None:
        here = Policy(action_window=timedelta(seconds=50), max_actions=2)
        attempts = (
            a.attempt("a1", incident_id="i1", takes_slot=True, intended_at=at(60)),
            a.attempt("a2", incident_id="i1", takes_slot=True, intended_at=at(70)),
            a.attempt("a3", incident_id="i2", takes_slot=True, intended_at=at(40)),
            a.attempt("a4", incident_id="i3", takes_slot=True, intended_at=at(90), cluster_id="c2"),
            a.attempt("a5", incident_id="i4", takes_slot=False, intended_at=at(90)),
        )
        samples = list(of_site(seen(attempts=attempts, policies={"": Policy(), "c1": here})))
        assert values(samples, families.SITE_CAP_USED) == {("cluster c1",): 1}
        assert values(samples, families.SITE_CAP) == {("cluster c1",): 2}
        assert one(samples, families.SITE_GLOBAL_USED) == 3
        assert one(samples, families.SITE_GLOBAL_CAP) == 10

    def test_clusters(self) -> None:
        hosts = (
            a.host("h1", excluded=True, agent_tls_until=at(1000)),
            a.host("h2", maintenance=True),
            a.host("h3"),
            a.host("x1", cluster_id="c2"),
        )
        healths = {"h3": a.health("h3", fenced_by="i1"), "h1": a.health("h1")}
        samples = list(
            of_site(
                seen(
                    hosts=hosts,
                    healths=healths,
                    clusters=(a.cluster(), a.cluster("c2")),
                    policies={"": Policy(), "c1": Policy(mode=Mode.ENFORCE), "c2": Policy()},
                    counts={"storms": {"c2": 4}},
                )
            )
        )
        assert values(samples, families.SITE_HOSTS) == {("cluster c1",): 3, ("cluster c2",): 1}
        assert values(samples, families.SITE_ENFORCED) == {("cluster c1",): 1, ("cluster c2",): 0}
        assert values(samples, families.SITE_STORMS) == {("cluster c1",): 0, ("cluster c2",): 4}
        marked = values(samples, families.SITE_MARKED)
        assert {key: number for key, number in marked.items() if number} == {
            ("cluster c1", "excluded"): 1,
            ("cluster c1", "maintenance"): 1,
            ("cluster c1", "fenced"): 1,
        }
        assert values(samples, families.SITE_CERTIFICATE) == {("cluster c1", "host h1"): at(1000).timestamp()}

    def test_a_persons_words_are_no_label(self) -> None:
        pauses = (
            a.pause("p1", reason="because I say so", by="ada", until=None),
            a.pause("p2", reason=Reason.STARTUP_QUIET, by=SYSTEM, until=at(101)),
            a.pause("p3", reason=Reason.STARTUP_QUIET, by=SYSTEM, until=at(99)),
            a.pause("p4", level=Level.CLUSTER, owner_id="c1", reason=Reason.CONTRADICTION, by=SYSTEM, until=None),
        )
        assert values(of_site(seen(pauses=pauses)), families.SITE_PAUSES) == {
            ("global", "paused"): 1,
            ("global", "startup_quiet"): 1,
            ("cluster", "contradiction"): 1,
        }

    def test_controllers_that_live(self) -> None:
        rows = tuple(ControllerRow(id=str(n), started_at=at(0), alive_at=at(n)) for n in (39, 40, 41, 100))
        assert one(of_site(seen(controllers=rows)), families.SITE_CONTROLLERS) == 2

    def test_the_cloud_where_there_is_one(self) -> None:
        cloud = (families.SITE_CLOUD_PROBLEM, families.SITE_CLOUD_WARNINGS, families.SITE_CLOUD_AGE)
        samples = list(of_site(seen()))
        assert [one(samples, family) for family in cloud] == [None, None, None]
        samples = list(of_site(seen(report=CloudReport(at=at(90), problem="away", warnings=("a", "b")))))
        assert [one(samples, family) for family in cloud] == [1, 2, None]
        samples = list(of_site(seen(report=CloudReport(at=at(90), read_at=at(70)))))
        assert [one(samples, family) for family in cloud] == [0, 0, 30]


class TestProcess:
    def test_a_well_one_is_ready_and_every_ailment_is_zero(self) -> None:
        samples = list(of_process((), (), isolated=False))
        assert one(samples, families.READY) == 1
        assert one(samples, families.DATABASE_UP) == 1
        assert one(samples, families.ISOLATED) == 0
        assert values(samples, families.AILMENT) == {(code,): 0 for code in Ailment}

    def test_a_sick_one_says_what_ails_it(self) -> None:
        found = [Finding(code=Ailment.DATABASE_UNAVAILABLE, detail=""), Finding(code=Ailment.ENGINE_STUCK, detail="")]
        samples = list(of_process(found, (), isolated=True))
        assert one(samples, families.READY) == one(samples, families.DATABASE_UP) == 0
        assert one(samples, families.ISOLATED) == 1
        ailing = values(samples, families.AILMENT)
        assert [code for code, number in ailing.items() if number] == [("database_unavailable",), ("engine_stuck",)]

    def test_its_loops(self) -> None:
        loop = LoopState(name="watcher", beats=5, failed=2, since_well_s=7, may_take_s=None)
        samples = list(of_process((), (loop,), isolated=False))
        assert values(samples, families.LOOP_AGE) == {("watcher",): 7}
        assert values(samples, families.LOOP_BEATS) == {("watcher", "well"): 3, ("watcher", "failed"): 2}

    def test_the_clock_before_and_after_its_first_read(self) -> None:
        assert list(of_clock(None)) == []
        samples = list(of_clock(Base(correction=timedelta(seconds=-3600), epoch=4)))
        assert (one(samples, families.SITE_CLOCK), one(samples, families.SITE_CLOCK_BY)) == (4, -3600)

    def test_agents_of_wanted_hosts_alone(self) -> None:
        hosts = (
            a.host("h1"),
            a.host("h2"),
            a.host("h3", maintenance=True),
            a.host("h4", excluded=True),
            a.host("h5", agent_token=""),
        )
        samples = of_agents((a.cluster(),), hosts, frozenset({"h1", "h3"}))
        assert values(samples, families.AGENTS) == {("cluster c1", "yes"): 1, ("cluster c1", "no"): 1}


async def test_readiness_and_devices_as_the_explanations_have_them() -> None:
    house = await a_house()
    await house.watcher.poll()
    await house.change_health("h2", bmc_on_seen_at=None)
    await house.settings(Level.HOST, "h3", ipmi__host="")
    (explained,) = await Explainer(house.world).all_hosts()
    samples = list(of_readiness(explained.readiness, explained.hosts))
    readiness = values(samples, families.READINESS)
    assert readiness == {("cluster c1", "ready"): 1, ("cluster c1", "waits"): 0, ("cluster c1", "blocked"): 2}
    devices = values(samples, families.DEVICES)
    assert devices == {
        ("cluster c1", "ready"): 1,
        ("cluster c1", "bmc_unproven"): 1,
        ("cluster c1", "not_configured"): 1,
    }
    against = values(samples, families.AGAINST)
    assert against["cluster c1", "bmc_unproven"] == 1
    assert values(samples, families.SLOWEST_OFF)["cluster c1",] > 60
