"""A site for the engine's benchmark: clusters of ten silent hosts and two witnesses, real rows in the real store."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.db.store import Store, Tx
from controller.domain.evidence import FileState, Memory
from controller.domain.incident import Incident, Source, State
from controller.domain.model import (
    Attempt,
    Cluster,
    Health,
    Host,
    Level,
    Pool,
    PoolKind,
    SettingRow,
)
from controller.domain.policy import BmcSettings
from controller.domain.power import Accepted, PowerAction
from controller.domain.reasons import Reason

SILENT_A_CLUSTER = 10
WITNESSES = 2
INTERVAL_S = 15
ROOT = "/mnt/primary"
DISKS = 4

HISTORY = 20
"""Closed incidents a cluster, with the evidence they were closed with."""

ATTEMPTS = 240
"""Power commands of the last day: what the default global cap allows."""

SETTINGS: dict[str, object] = {
    "mode": "enforce",
    "action": "off",
    "check_interval": INTERVAL_S,
    # Never dead enough: CHECKING goes on for as long as the measurement lasts.
    "additional_checks": 100,
    "checking_limit": 86_400,
    "global_max_actions": 10,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What was put into the store."""

    hosts: tuple[Host, ...]
    silent: frozenset[str]
    disconnect_at: datetime


async def furnish(store: Store, *, incidents: int, now: datetime) -> Site:
    """Open ``incidents`` of them, half CHECKING and half HELD by a storm; every one is due at ``now``."""
    hosts: list[Host] = []
    silent: set[str] = set()
    disconnect_at = now - timedelta(seconds=30)
    async with store.transaction() as tx:
        for field, value in SETTINGS.items():
            await tx.put_setting(SettingRow(level=Level.GLOBAL, owner_id="", field=field, value=value), secret=False)
    for number in range(-(-incidents // SILENT_A_CLUSTER)):
        async with store.transaction() as tx:
            members = await _cluster(tx, number, now=now)
            hosts += members
            for host in members[: min(SILENT_A_CLUSTER, incidents - len(silent))]:
                silent.add(host.id)
                await tx.open_incident(_open(host, disconnect_at=disconnect_at, now=now, held=len(silent) % 2 == 0))
    async with store.transaction() as tx:
        for attempt in _attempts(hosts, now=now):
            await tx.add_attempt(attempt)
    return Site(hosts=tuple(hosts), silent=frozenset(silent), disconnect_at=disconnect_at)


async def _cluster(tx: Tx, number: int, *, now: datetime) -> list[Host]:
    cluster_id = f"cluster-{number:03}"
    await tx.save_cluster(Cluster(id=cluster_id, name=cluster_id))
    # Ten at once are no storm here, or all that is CHECKING would be HELD after its first round.
    row = SettingRow(level=Level.CLUSTER, owner_id=cluster_id, field="max_actions", value=1000)
    await tx.put_setting(row, secret=False)
    await tx.save_pool(
        Pool(id=f"pool-{number:03}", name="primary", kind=PoolKind.FILE, root=ROOT, cluster_id=cluster_id)
    )
    members = [_host(cluster_id, place) for place in range(SILENT_A_CLUSTER + WITNESSES)]
    for place, host in enumerate(members):
        await tx.save_host(host)
        address = f"10.{number // 250}.{number % 250}.{place + 1}"
        for field, value in (("host", address), ("username", "fence"), ("password", "secret")):
            row = SettingRow(level=Level.HOST, owner_id=host.id, field=f"ipmi.{field}", value=value)
            await tx.put_setting(row, secret=field == "password")
        identity = BmcSettings(host=address).identity
        await tx.save_health(
            Health(
                host_id=host.id,
                boot_id="boot-1",
                seen_at=now,
                healthy_since=now,
                bmc_identity=identity,
                bmc_on_seen_at=now,
                bmc_checked_at=now,
            )
        )
    for turn in range(HISTORY):
        then = now - timedelta(days=1, hours=turn)
        past = _open(members[turn % len(members)], disconnect_at=then, now=then, held=False)
        await tx.open_incident(past)
        past = replace(past, state=State.RECOVERED, closed_at=then, next_step_at=None, memory=_evidence())
        await tx.save_incident(past, end_lease=True)
    return members


def _evidence() -> dict[str, Memory]:
    """What a closed incident was closed with: two witnesses' last readings."""
    state = FileState(device="0:52", inode=7, size=1 << 34, blocks=1 << 20, mtime_ns=1 << 60, ctime_ns=1 << 60)
    files = {f"{ROOT}/vm-{number}-0b5e9a52-7c9e-4f0d-9c44.qcow2": state for number in range(DISKS)}
    beats = {ROOT: ("boot-1", 123_456)}
    return {f"witness-{number}": Memory(files=files, beats=beats, own_beats=beats) for number in range(WITNESSES)}


def _host(cluster_id: str, place: int) -> Host:
    host_id = f"{cluster_id}-host-{place:02}"
    return Host(
        id=host_id, cluster_id=cluster_id, name=host_id, address=f"{host_id}.example", agent_token=f"token-{host_id}"
    )


def _open(host: Host, *, disconnect_at: datetime, now: datetime, held: bool) -> Incident:
    return Incident(
        id=f"incident-{host.id}-{now.timestamp():.0f}",
        host_id=host.id,
        cluster_id=host.cluster_id,
        state=State.HELD if held else State.CHECKING,
        source=Source.WATCH,
        opened_at=now,
        disconnect_at=disconnect_at,
        entered_at=now,
        checking_since=now,
        held_since=now if held else None,
        sticky=frozenset({Reason.STORM}) if held else frozenset(),
        next_step_at=now,
    )


def _attempts(hosts: list[Host], *, now: datetime) -> Iterator[Attempt]:
    for number in range(ATTEMPTS):
        host = hosts[number % len(hosts)]
        intended_at = now - timedelta(days=1) * (number + 0.5) / ATTEMPTS
        yield Attempt(
            id=f"attempt-{number}",
            host_id=host.id,
            cluster_id=host.cluster_id,
            incident_id=None,
            action=PowerAction.OFF,
            bmc_identity=f"ipmi://bmc-{host.id}:623/",
            actor="hostfence",
            automatic=True,
            takes_slot=True,
            intended_at=intended_at,
            finished_at=intended_at,
            accepted=Accepted.YES,
        )
