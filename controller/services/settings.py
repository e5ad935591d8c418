"""Writes settings after checking them alone, together, and against every host they would change; reads them back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.db.store import Clock, Store, Tx
from controller.domain.catalogue import CATALOGUE, DEVICE_ADDRESSES, GROUPS, Kind
from controller.domain.inheritance import Effective, check_combination, explain, of_each_device
from controller.domain.model import Cluster, Host, Level, SettingRow
from controller.domain.policy import Mode, Policy
from controller.domain.setting_values import SettingError, check_level, parse, setting_named, shown, to_json
from controller.services import channel_rules
from controller.services.changes import changing, checked_reason, record
from controller.services.device_rules import (
    DeviceRules,
    refuse_shared_devices,
    refuse_unusable_device,
    resolved_names,
)
from controller.services.errors import BadInput
from controller.services.exec_rules import Programs, look_at, unusable_command
from controller.services.lookup import cluster_by_ref, host_by_ref, owner_id_of
from controller.services.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where settings are written: the level, and any name of the cluster or host (empty for global)."""

    level: Level
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What was found out outside of the database before the transaction."""

    programs: Programs
    resolved: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many hosts a scope has, and for how many of them another level below it says something else, by field."""

    hosts: int
    own: Mapping[str, int]


async def reach_of(store: Store, scope: Scope) -> Reach:
    """Whom a change at this scope would reach. Retired hosts do not count."""
    async with store.transaction() as tx:
        owner_id = await owner_id_of(tx, scope.level, scope.ref)
        rows = await tx.setting_rows()
        hosts = [host for host in await tx.hosts() if not host.retired]
    below = [host for host in hosts if scope.level is Level.GLOBAL or owner_id in (host.id, host.cluster_id)]
    fields: dict[str, set[str]] = {}
    for row in rows:
        fields.setdefault(row.owner_id, set()).add(row.field)
    own: Counter[str] = Counter()
    for host in below:
        of_host = fields.get(host.id, set()) if scope.level is not Level.HOST else set()
        own.update(of_host | (fields.get(host.cluster_id, set()) if scope.level is Level.GLOBAL else set()))
    return Reach(hosts=len(below), own=own)


async def written_settings(store: Store, scope: Scope) -> dict[str, Any]:
    """What is written at exactly this scope; secrets only say whether they are set."""
    async with store.transaction() as tx:
        owner_id = await owner_id_of(tx, scope.level, scope.ref)
        rows = await tx.setting_rows()
    return {name: shown(name, value) for name, value in _at(rows, scope.level, owner_id).items()}


async def effective_settings(store: Store, scope: Scope) -> dict[str, Effective]:
    """Every setting as it holds at this scope, and where it comes from."""
    async with store.transaction() as tx:
        rows = await tx.setting_rows()
        cluster, host = await _owners(tx, scope)
        beside = await tx.hosts(cluster_id=cluster.id) if cluster else []
        members = sum(not one.retired for one in beside)
    return explain(
        rows,
        cluster_id=cluster.id if cluster else None,
        host_id=host.id if host else None,
        other_hosts_in_cluster=max(0, members - 1),
    )


async def write_settings(
    store: Store,
    clock: Clock,
    scope: Scope,
    changes: Mapping[str, Any],
    *,
    replace: bool,
    rules: DeviceRules,
    actor: str,
) -> dict[str, Any]:
    """Write ``changes`` (None: inherit) and answer what is written then.

    ``replace``: fields that ``changes`` does not name inherit again, except secrets, which nobody can read and so send
    back, and except ``mode``: leaving out a host's *observe* must not arm it.

    Raises:
        BadInput: unknown fields, impossible values or combinations, all of them named in ``problems``.
        Refused: two hosts would have one power device.
    """
    return await _write(store, clock, scope, changes, replace=replace, rules=rules, actor=actor, reason="")


async def set_mode(
    store: Store, clock: Clock, scope: Scope, mode: Mode | None, *, reason: str, rules: DeviceRules, actor: str
) -> Effective:
    """Arm or disarm a level (None: inherit) with a reason for the audit. Answers the mode that holds there."""
    why = checked_reason(reason)
    change = {"mode": mode.value if mode else None}
    await _write(store, clock, scope, change, replace=False, rules=rules, actor=actor, reason=why)
    return (await effective_settings(store, scope))["mode"]


async def _write(
    store: Store,
    clock: Clock,
    scope: Scope,
    changes: Mapping[str, Any],
    *,
    replace: bool,
    rules: DeviceRules,
    actor: str,
    reason: str,
) -> dict[str, Any]:
    now = await clock.now()
    values = _checked_alone(changes, scope.level)
    programs = await _programs(store, changes, rules)
    resolved = await _names(store, values, rules)
    async with changing(store) as tx:
        owner_id = await owner_id_of(tx, scope.level, scope.ref)
        rows = await tx.setting_rows()
        before = _at(rows, scope.level, owner_id)
        after = await _merged(tx, before, changes, values, replace=replace)
        refuse_unusable_device({name: after[name] for name in values if name in after}, rules, resolved)
        new_rows = [row for row in rows if (row.level, row.owner_id) != (scope.level, owner_id)] + [
            SettingRow(level=scope.level, owner_id=owner_id, field=name, value=value) for name, value in after.items()
        ]
        around = _Around(programs=programs, resolved=resolved)
        await _check_together(tx, rows, new_rows, around, level=scope.level, owner_id=owner_id)
        for name in before.keys() - after.keys():
            await tx.delete_setting(scope.level, owner_id, name)
        for name, value in after.items():
            if name not in before or before[name] != value:
                row = SettingRow(level=scope.level, owner_id=owner_id, field=name, value=value)
                await tx.put_setting(row, secret=CATALOGUE[name].secret)
        changed = {
            name: shown(name, after[name]) if name in after else None
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        await record(
            tx,
            at=now,
            actor=actor,
            action="settings.write",
            target=f"{scope.level}:{scope.ref}" if scope.ref else scope.level.value,
            owner_id=owner_id,
            changed=changed,
            **({"reason": reason} if reason else {}),
        )
    return {name: shown(name, value) for name, value in after.items()}


def _at(rows: Iterable[SettingRow], level: Level, owner_id: str) -> dict[str, Any]:
    return {row.field: row.value for row in rows if (row.level, row.owner_id) == (level, owner_id)}


async def _owners(tx: Tx, scope: Scope) -> tuple[Cluster | None, Host | None]:
    match scope.level:
        case Level.GLOBAL:
            return None, None
        case Level.CLUSTER:
            return await cluster_by_ref(tx, scope.ref), None
        case Level.HOST:
            host = await host_by_ref(tx, scope.ref)
            return await cluster_by_ref(tx, host.cluster_id), host


def _checked_alone(changes: Mapping[str, Any], level: Level) -> dict[str, Any]:
    values, problems = {}, []
    for name, raw in changes.items():
        try:
            setting_named(name)
            if raw is not None:
                values[name] = parse(name, raw)
                check_level(name, level, raw)
        except SettingError as problem:
            problems.append(problem)
    _raise(problems)
    return values


async def _merged(
    tx: Tx, before: Mapping[str, Any], changes: Mapping[str, Any], values: Mapping[str, Any], *, replace: bool
) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in before.items()
        if name not in changes and (not replace or name == "mode" or name not in CATALOGUE or CATALOGUE[name].secret)
    }
    for name, value in values.items():
        if CATALOGUE[name].kind is Kind.CHANNELS:
            kept[name] = to_json(await channel_rules.settled(tx, value, changes[name], before.get(name)))
        else:
            kept[name] = to_json(value)
    return kept


async def _check_together(
    tx: Tx, rows: list[SettingRow], new_rows: list[SettingRow], around: _Around, *, level: Level, owner_id: str
) -> None:
    """Refuse what this write breaks; what was broken before may be mended step by step."""
    clusters, hosts = await tx.clusters(), await tx.hosts()
    before, after = Policies(rows, clusters, hosts), Policies(new_rows, clusters, hosts)
    problems = _combinations(after.reached_from(level, owner_id), around.programs)
    known = _combinations(before.reached_from(level, owner_id), around.programs)
    _raise([problem for key, problem in problems.items() if key not in known])
    refuse_shared_devices(before, after, around.resolved)


async def _names(store: Store, values: Mapping[str, Any], rules: DeviceRules) -> dict[str, frozenset[str]]:
    """What devices' names resolve to; asked before the transaction, where a device is named at all."""
    if rules.look_up is None or not any(values.get(name) for name in DEVICE_ADDRESSES):
        return {}
    async with store.transaction() as tx:
        rows = await tx.setting_rows()
    written = [str(row.value) for row in rows if row.field in DEVICE_ADDRESSES]
    return await resolved_names((*written, *(str(values.get(name) or "") for name in DEVICE_ADDRESSES)), rules)


async def _programs(store: Store, changes: Mapping[str, Any], rules: DeviceRules) -> Programs:
    """What is to be known of the ``exec`` driver's programs; asked before the transaction, for it takes processes."""
    names: list[Any] = []
    if any(name == "action" or name.startswith(GROUPS) for name in changes):
        async with store.transaction() as tx:
            rows = await tx.setting_rows()
        fields = [f"{group}exec" for group in GROUPS]
        names = [row.value for row in rows if row.field in fields] + [changes.get(field) for field in fields]
    return await look_at(
        [name for name in names if name], allowed=rules.exec_allowed, read_agent=rules.read_agent, lab=rules.allow_local
    )


def _combinations(policies: Iterable[tuple[str, Policy]], programs: Programs) -> dict[tuple[str, str], SettingError]:
    return {
        (where, problem.field): SettingError(
            problem.field, problem.shown, f"{problem.remedy} (as it would hold for {where})"
        )
        for where, policy in policies
        for problem in (
            *check_combination(policy),
            of_each_device(lambda each: unusable_command(each, programs), policy),
        )
        if problem is not None
    }


def _raise(problems: list[SettingError]) -> None:
    if problems:
        first = problems[0]
        raise BadInput(
            str(first),
            code="bad_setting",
            field=first.field,
            problems=[(one.field, str(one)) for one in problems[:20]],
        )
