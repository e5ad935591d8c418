"""The reads every step makes: no more than it looks at, and the same from every store."""

from dataclasses import fields, replace

from controller.db.store import Store
from controller.domain.incident import IncidentBrief, State
from controller.domain.model import Level
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.fixtures.builders import at
from tests.fixtures.stores import furnish


async def two_clusters(store: Store) -> None:
    """``h1`` to ``h3`` in ``c1``, ``x1`` in ``c2``; ``h1`` and ``x1`` have an open incident, ``h2`` a closed one."""
    await furnish(store, hosts=3)
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster("c2"))
        await tx.save_host(a.host("x1", cluster_id="c2"))
        sticky = frozenset({Reason.STORM, Reason.CONTRADICTION})
        await tx.open_incident(a.incident("i1", opened_at=at(2), sticky=sticky))
        closed = a.incident("i2", host_id="h2", opened_at=at(1))
        await tx.open_incident(closed)
        await tx.save_incident(
            replace(closed, state=State.RECOVERED, closed_at=at(10), next_step_at=None), end_lease=True
        )
        await tx.open_incident(a.incident("i3", host_id="x1", cluster_id="c2"))


async def test_the_open_incident_of_a_host(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        found = await tx.open_incident_of("h1")
        assert found is not None
        assert found == await tx.incident("i1")
        assert await tx.open_incident_of("h2") is None
        assert await tx.open_incident_of("nobody") is None


async def test_hosts_with_an_open_incident(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        assert await tx.open_hosts() == {"h1", "x1"}
        assert await tx.open_hosts(cluster_id="c1") == {"h1"}
        assert await tx.open_hosts(cluster_id="nowhere") == frozenset()


async def test_a_host_that_changed_its_cluster_is_silent_where_it_is_now(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        await tx.save_host(a.host("h1", cluster_id="c2"))
        assert await tx.open_hosts(cluster_id="c2") == {"h1", "x1"}
        assert await tx.open_hosts(cluster_id="c1") == frozenset()


async def test_briefs_are_a_clusters_open_and_lately_closed_ones(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        assert [b.id for b in await tx.briefs("c1", since=at(10))] == ["i2", "i1"], "closed at that very time"
        [brief] = await tx.briefs("c1", since=at(11))
        whole = await tx.incident("i1")
    assert type(brief) is IncidentBrief
    for one in fields(IncidentBrief):
        assert getattr(brief, one.name) == getattr(whole, one.name)
    assert brief.open


async def test_the_hosts_beside_one(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        assert await tx.hosts_beside("h2") == await tx.hosts(cluster_id="c1")
        assert [h.id for h in await tx.hosts_beside("x1")] == ["x1"]
        assert await tx.hosts_beside("nobody") == []
        assert [h.id for h in await tx.hosts(ids=["x1", "h2", "nobody"])] == ["h2", "x1"]
        assert await tx.hosts(ids=[]) == []


async def test_healths_of_a_cluster(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        for host_id in ("h1", "x1"):
            await tx.save_health(a.health(host_id))
        assert await tx.healths(cluster_id="c1") == {"h1": a.health("h1")}
        assert set(await tx.healths()) == {"h1", "x1"}


async def test_settings_of_some_owners(store: Store) -> None:
    await two_clusters(store)
    rows = [
        a.setting(),
        a.setting(level=Level.CLUSTER, owner_id="c1"),
        a.setting(level=Level.CLUSTER, owner_id="c2"),
        a.setting("mode", "observe", level=Level.HOST, owner_id="h1"),
    ]
    async with store.transaction() as tx:
        for row in rows:
            await tx.put_setting(row, secret=False)
        everyone = await tx.setting_rows()
        assert [r.owner_id for r in everyone] == ["c1", "c2", "", "h1"]
        mine = await tx.setting_rows(owners=("", "c1", "h1"))
        assert mine == [r for r in everyone if r.owner_id != "c2"]
        assert await tx.setting_rows(owners=("",)) == [a.setting()]


async def test_hosts_that_share_a_device_address(store: Store) -> None:
    await two_clusters(store)
    async with store.transaction() as tx:
        for host_id, address in (("h1", "10.0.0.1"), ("h2", "10.0.0.1"), ("x1", "10.0.0.10")):
            row = a.setting("ipmi.host", address, level=Level.HOST, owner_id=host_id)
            await tx.put_setting(row, secret=False)
        await tx.put_setting(a.setting("ipmi.username", "10.0.0.1", level=Level.HOST, owner_id="h3"), secret=False)
        assert await tx.hosts_with_device("10.0.0.1") == {"h1", "h2"}
        assert await tx.hosts_with_device("10.0.0.10") == {"x1"}
        assert await tx.hosts_with_device("10.0.0.99") == frozenset()
