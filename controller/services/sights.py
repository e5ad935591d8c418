"""What each agent last told this process of its pools: in memory, as a new process is told within seconds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from controller.db.store import Store
from controller.domain.model import Host, Pool, PoolKind
from controller.domain.mounts import Beside, MountNote, not_seen, notes_on
from controller.domain.watch import PoolSeen, Seen
from shared.enums import ReadingCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One agent's newest answer."""

    at: datetime
    seen: Seen


@dataclass(slots=True)
class Sights:
    """The newest answer of each agent, kept while it does not answer, forgotten with its host."""

    known: dict[str, Sight] = field(default_factory=dict)
    polled: bool = False
    """True once all agents were asked."""

    def keep(self, seen: Iterable[Seen], *, at: datetime) -> None:
        """Take one poll of all agents into account."""
        newest = {one.host_id: Sight(at=at, seen=one) if one.answered else self.known.get(one.host_id) for one in seen}
        self.known = {host_id: sight for host_id, sight in newest.items() if sight is not None}
        self.polled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One pool on one host, and what is worth knowing of it."""

    root: str
    code: ReadingCode | None = None
    detail: str = ""
    fs_type: str = ""
    options: str = ""
    source: str = ""
    notes: tuple[MountNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All of them, by path. ``seen_at``: when the agent said so; None: not yet."""

    seen_at: datetime | None = None
    pools: tuple[Mount, ...] = ()


async def storage_of(store: Store, sights: Sights, host: Host) -> Storage:
    """The host's pools as its agent has them, compared with those of its cluster's other hosts."""
    if host.id not in sights.known:
        return Storage()
    async with store.transaction() as tx:
        beside = await tx.hosts_beside(host.id)
        pools = await tx.pools(cluster_id=host.cluster_id)
    return storage_among(sights, host, beside, pools)


def storage_among(sights: Sights, host: Host, beside: Iterable[Host], pools: Iterable[Pool]) -> Storage:
    """The same, from what was read already: the hosts of its cluster, and the cluster's pools."""
    sight = sights.known.get(host.id)
    if sight is None:
        return Storage()
    hosts = tuple(beside)
    told = {pool.root: pool for pool in sight.seen.pools}
    missing = {pool.root for pool in pools if pool.kind is PoolKind.FILE} - told.keys()
    shown = [_shown(host, pool, _beside(sights, host, hosts, root)) for root, pool in told.items()]
    shown += [Mount(root=root, notes=(not_seen(),)) for root in missing]
    return Storage(seen_at=sight.at, pools=tuple(sorted(shown, key=lambda mount: mount.root)))


def _beside(sights: Sights, host: Host, hosts: Iterable[Host], root: str) -> list[Beside]:
    return [
        Beside(host_id=other.id, host_name=other.name, pool=pool)
        for other in hosts
        if other.id != host.id and (sight := sights.known.get(other.id)) is not None
        for pool in sight.seen.pools
        if pool.root == root
    ]


def _shown(host: Host, pool: PoolSeen, beside: list[Beside]) -> Mount:
    return Mount(
        root=pool.root,
        code=pool.code,
        detail=pool.detail,
        fs_type=pool.fs_type,
        options=pool.mount_options,
        source=pool.mount_source,
        notes=notes_on(host.id, pool, beside),
    )
