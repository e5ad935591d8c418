"""A cluster at a glance: counts, causes, the worst first; and what many hosts at once would meet."""

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.cluster_readiness import ClusterReadiness, storm, summed_up
from controller.domain.explain import Explanation, explain
from controller.domain.gates import Readiness
from controller.domain.reasons import Reason
from shared.enums import Reach
from tests.fixtures.builders import T0, at, attempt, cluster, health, host
from tests.fixtures.evidence import policy
from tests.fixtures.snapshots import HOSTS, IDENTITY, a_snapshot, cluster_facts, everybody, seen_by


def one_of(host_id: str, **changes: Any) -> Explanation:
    """A host that is ready, unless ``changes`` to its marks say otherwise."""
    me = replace(HOSTS[0], id=host_id, name=host_id, **changes)
    facts = cluster_facts(
        host=me,
        hosts=(me, *HOSTS[1:]),
        healths={host_id: health(host_id, bmc_identity=IDENTITY, bmc_on_seen_at=T0)},
        identities={},
    )
    beats = next(iter(everybody()["h2"].pools[0].others.values()))
    seen = {
        one.id: replace(
            everybody()[one.id], pools=tuple(replace(p, others={host_id: beats}) for p in everybody()[one.id].pools)
        )
        for one in HOSTS[1:]
    }
    return explain(a_snapshot(facts, seen=seen | {host_id: seen_by(host_id)}))


def summary(*ones: Explanation) -> ClusterReadiness:
    return summed_up(cluster(), ones, at=T0, storm=None)


def test_hosts_are_counted_and_the_worst_come_first() -> None:
    found = summary(
        one_of("b"), one_of("a"), one_of("c", maintenance=True), one_of("d", maintenance=True, excluded=True)
    )
    assert (found.ready, found.waits, found.blocked) == (2, 0, 2)
    assert [(line.id, line.codes) for line in found.hosts] == [
        ("c", ("maintenance",)),
        ("d", ("excluded", "maintenance")),
        ("a", ()),
        ("b", ()),
    ]
    assert [(cause.code, cause.hosts, cause.readiness) for cause in found.causes] == [
        ("maintenance", 2, Readiness.BLOCKED),
        ("excluded", 1, Readiness.BLOCKED),
    ]
    assert found.least_spare_witnesses == 1
    assert found.slowest_off_s == found.hosts[0].off_s > 60


def test_a_cause_is_as_bad_as_where_it_is_worst_and_counts_a_host_once() -> None:
    warned = explain(a_snapshot(seen=everybody(h4=seen_by("h4", reach=Reach.NO_ANSWER))))
    few = explain(a_snapshot(seen=everybody(h4=seen_by("h4", pools=()), h3=seen_by("h3", pools=()))))
    both = summary(warned, few)
    causes = {cause.code: (cause.hosts, cause.readiness) for cause in both.causes}
    assert causes["storage_unreadable"] == (1, Readiness.BLOCKED)
    assert causes["witness_silent"] == (1, Readiness.WARNING)
    again = summary(few, warned)
    assert again.causes == both.causes


def test_an_empty_cluster_has_nothing_to_say() -> None:
    found = summary()
    assert (found.hosts, found.causes, found.least_spare_witnesses, found.slowest_off_s) == ((), (), None, None)


@pytest.mark.parametrize(
    ("hosts", "under", "believed", "power_downs", "beyond"),
    [
        (12, {}, 3, 3, (Reason.STORM,)),
        (12, {"max_actions": 5}, 5, 5, (Reason.STORM,)),
        (12, {"max_actions": 5, "global_max_actions": 2}, 5, 2, (Reason.STORM,)),
        (12, {"max_actions": 0}, 1, 0, (Reason.STORM,)),
        (4, {}, 2, 2, (Reason.CLUSTER_UNHEALTHY,)),
        (2, {"max_unhealthy_percent": 100}, 2, 2, ()),
        (4, {"max_unhealthy_percent": 10}, 0, 0, (Reason.CLUSTER_UNHEALTHY,)),
    ],
)
def test_how_many_at_once_are_believed(
    hosts: int, under: dict[str, Any], believed: int, power_downs: int, beyond: tuple[Reason, ...]
) -> None:
    everyone = tuple(host(f"h{n}") for n in range(1, hosts + 1))
    found = storm(cluster_facts(hosts=(*everyone, host("gone", retired=True))), policy(**under), now=T0)
    assert (found.believed, found.power_downs, found.beyond) == (believed, power_downs, beyond)


def test_what_the_caps_have_given_out_already_is_not_left() -> None:
    used = tuple(attempt(f"a{n}", host_id="h9", incident_id=f"old-{n}", intended_at=at(-60)) for n in range(2))
    everyone = tuple(host(f"h{n}") for n in range(1, 13))
    found = storm(cluster_facts(hosts=everyone, attempts=used), policy(), now=T0)
    assert (found.believed, found.power_downs) == (3, 1)
