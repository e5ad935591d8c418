"""What the API shows of a host's storage, from what the watch was told."""

from datetime import timedelta

from controller.domain.model import PoolKind
from controller.domain.mounts import MountCode
from controller.domain.watch import PoolSeen, Seen
from controller.services.sights import Sights, storage_of
from shared.enums import Reach
from tests.fakes.clock import START
from tests.fixtures import builders as a
from tests.fixtures.house import a_house
from tests.fixtures.stores import furnish
from tests.simulation.memory_store import MemoryStore


def told(host_id: str, *roots: str, source: str = "nas:/vol1") -> Seen:
    pools = [
        PoolSeen(root=root, readable=True, fs_type="nfs4", mount_options="rw,hard", mount_source=source)
        for root in roots
    ]
    return Seen(host_id=host_id, reach=Reach.AGENT_ANSWERED, pools=tuple(pools))


def silent(host_id: str) -> Seen:
    return Seen(host_id=host_id, reach=Reach.NO_ANSWER)


async def test_the_newest_answer_counts_and_outlives_a_silence() -> None:
    sights = Sights()
    sights.keep([told("h1", "/mnt/p1"), silent("h2")], at=START)
    sights.keep([silent("h1"), silent("h2")], at=START + timedelta(seconds=2))
    assert {host_id: sight.at for host_id, sight in sights.known.items()} == {"h1": START}
    sights.keep([told("h1", "/mnt/p1"), told("h2")], at=START + timedelta(seconds=4))
    assert [sight.at for sight in sights.known.values()] == [START + timedelta(seconds=4)] * 2
    sights.keep([told("h2")], at=START + timedelta(seconds=6))
    assert list(sights.known) == ["h2"], "a host that is gone is forgotten"


async def test_a_host_is_compared_with_its_cluster_and_the_inventory() -> None:
    store, sights = MemoryStore(), Sights()
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_host(a.host("h8", name="beside", address="192.0.2.8"))
        await tx.save_cluster(a.cluster("c9", name="far"))
        await tx.save_host(a.host("h9", cluster_id="c9", name="elsewhere", address="192.0.2.9"))
        await tx.save_pool(a.pool("p7", name="p7", root="/mnt/missing"))
        await tx.save_pool(a.pool("p6", name="p6", root="rbd:vms", kind=PoolKind.RBD))
        host = await tx.host("h1")
        roots = {pool.root for pool in await tx.pools(cluster_id="c1") if pool.kind is PoolKind.FILE}
    assert host is not None
    assert (await storage_of(store, sights, host)).seen_at is None
    here = roots - {"/mnt/missing"}
    sights.keep(
        [
            told("h1", *here, "/mnt/extra"),
            told("h8", "/mnt/extra", source="nas2:/vol1"),
            told("h9", "/mnt/extra", source="nas3:/vol1"),
        ],
        at=START,
    )
    shown = await storage_of(store, sights, host)
    assert shown.seen_at == START
    notes = {mount.root: [note.code for note in mount.notes] for mount in shown.pools}
    assert list(notes) == sorted([*roots, "/mnt/extra"])
    assert notes["/mnt/missing"] == [MountCode.NOT_SEEN]
    assert notes["/mnt/extra"] == [MountCode.OTHER_SOURCE, MountCode.NFS_4]
    (extra,) = [mount for mount in shown.pools if mount.root == "/mnt/extra"]
    assert (extra.source, extra.options, extra.fs_type) == ("nas:/vol1", "rw,hard", "nfs4")
    assert "beside" in extra.notes[0].text
    assert "nas3" not in extra.notes[0].text, "another cluster's storage is its own"


async def test_the_watch_keeps_what_it_is_told() -> None:
    house = await a_house()
    await house.run(2, watch=True)
    assert set(house.world.sights.known) == set(house.probing.hosts)
