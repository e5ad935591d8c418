"""Resolves written settings into the policy that holds: defaults ← global ← cluster ← host, each field by itself.

``mode`` is the exception: one level that says *observe* outweighs the others, and nothing written at global level is
*observe*. A row that can't be read (written by another version) is left out and forces *observe*: when unsure, do
nothing to the host.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from controller.domain.catalogue import CATALOGUE, GROUPS, MIN_SILENCE_WITHOUT_HEARTBEAT_S
from controller.domain.channels.base import ChannelSettings
from controller.domain.exec_presets import IPMI_PASSWORD_BYTES, IPMI_USERNAME_BYTES, command_of
from controller.domain.exec_rules import exec_problem, password_in_argv
from controller.domain.model import Level, SettingRow
from controller.domain.policy import BmcSettings, Mode, Policy, same_machine
from controller.domain.setting_values import SettingError, check_level, parse, shown, to_json

_HEARTBEATS_MISSED = 3
_HTTPS_PORT = 443
_WITNESSES = 2


class Origin(StrEnum):
    """Where an effective value comes from."""

    DEFAULT = "default"
    GLOBAL = "global"
    CLUSTER = "cluster"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """One field's value as JSON, and the level it comes from. A secret's value says only whether it is set."""

    value: Any = field(repr=False)
    source: Origin


def resolve(
    rows: Sequence[SettingRow], *, cluster_id: str | None, host_id: str | None, other_hosts_in_cluster: int
) -> Policy:
    """The policy of one host; of a cluster or of everything where the ids are None.

    ``other_hosts_in_cluster`` is the configured membership, never who happens to be up.
    """
    values = {
        name: parse(name, effective.value)
        for name, effective in _effective(
            rows, cluster_id=cluster_id, host_id=host_id, other_hosts_in_cluster=other_hosts_in_cluster
        ).items()
    }
    plain = {one.name: values[one.name] for one in fields(Policy) if one.name not in ("bmc", "devices")}
    devices = [_device(values, group) for group in GROUPS]
    # Without a first one there is no second: the lists of people and of settings stay in step.
    usable = tuple(device for device in devices if device.configured) if devices[0].configured else ()
    return Policy(**plain, bmc=devices[0], devices=usable)


def explain(
    rows: Sequence[SettingRow], *, cluster_id: str | None, host_id: str | None, other_hosts_in_cluster: int
) -> dict[str, Effective]:
    """Every field as :func:`resolve` takes it, with where it comes from; fit for people's eyes."""
    found = _effective(rows, cluster_id=cluster_id, host_id=host_id, other_hosts_in_cluster=other_hosts_in_cluster)
    return {name: Effective(value=shown(name, one.value), source=one.source) for name, one in found.items()}


def channels_of(rows: Sequence[SettingRow]) -> tuple[ChannelSettings, ...]:
    """The notification channels, with their secrets."""
    found = _effective(rows, cluster_id=None, host_id=None, other_hosts_in_cluster=0)["channels"]
    channels: tuple[ChannelSettings, ...] = parse("channels", found.value)
    return channels


def check_combination(policy: Policy) -> tuple[SettingError, ...]:
    """What single values can't show: settings that make no sense together. Empty when all is well."""
    of_policy = (check(policy) for check in _CHECKS)
    of_devices = (of_each_device(check, policy) for check in _DEVICE_CHECKS)
    return tuple(problem for problem in (*of_policy, *of_devices) if problem is not None)


def _effective(
    rows: Sequence[SettingRow], *, cluster_id: str | None, host_id: str | None, other_hosts_in_cluster: int
) -> dict[str, Effective]:
    written, unreadable = _written(rows, {Level.CLUSTER: cluster_id, Level.HOST: host_id})
    found = {}
    for name, setting in CATALOGUE.items():
        found[name] = Effective(value=setting.default, source=Origin.DEFAULT)
        for level in (Level.GLOBAL, Level.CLUSTER, Level.HOST):
            if name in written[level]:
                found[name] = Effective(value=written[level][name], source=Origin(level.value))
    _depending_defaults(found, other_hosts_in_cluster)
    found["mode"] = Effective(value=Mode.OBSERVE.value, source=Origin.DEFAULT) if unreadable else _strictest(written)
    return found


def _written(
    rows: Sequence[SettingRow], owners: Mapping[Level, str | None]
) -> tuple[dict[Level, dict[str, Any]], bool]:
    written: dict[Level, dict[str, Any]] = {level: {} for level in Level}
    unreadable = False
    for row in rows:
        if row.level is not Level.GLOBAL and row.owner_id != owners[row.level]:
            continue
        try:
            check_level(row.field, row.level, row.value)
            written[row.level][row.field] = to_json(parse(row.field, row.value))
        except SettingError:
            unreadable = True
    return written, unreadable


def _depending_defaults(found: dict[str, Effective], other_hosts_in_cluster: int) -> None:
    for group in GROUPS:
        if found[f"{group}port"].source is Origin.DEFAULT and found[f"{group}driver"].value == "redfish":
            found[f"{group}port"] = Effective(value=_HTTPS_PORT, source=Origin.DEFAULT)
    if found["min_silence"].source is Origin.DEFAULT:
        with_heartbeat = int(Policy().min_silence.total_seconds())
        needed = with_heartbeat if found["require_heartbeat"].value else MIN_SILENCE_WITHOUT_HEARTBEAT_S
        found["min_silence"] = Effective(value=needed, source=Origin.DEFAULT)
    if found["witnesses_required"].source is Origin.DEFAULT:
        needed = 1 if other_hosts_in_cluster == 1 else _WITNESSES
        found["witnesses_required"] = Effective(value=needed, source=Origin.DEFAULT)


def _strictest(written: Mapping[Level, Mapping[str, Any]]) -> Effective:
    if "mode" not in written[Level.GLOBAL]:
        return Effective(value=Mode.OBSERVE.value, source=Origin.DEFAULT)
    said = [(level, written[level]["mode"]) for level in Level if "mode" in written[level]]
    for level, mode in said:
        if mode == Mode.OBSERVE:
            return Effective(value=mode, source=Origin(level.value))
    level, mode = said[-1]
    return Effective(value=mode, source=Origin(level.value))


def _device(values: Mapping[str, Any], group: str) -> BmcSettings:
    own = {one.name for one in fields(BmcSettings)} - {"options"}
    plain: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, value in values.items():
        if not name.startswith(group):
            continue
        key = name.removeprefix(group)
        if key in own:
            plain[key] = value
        elif value:
            options[key] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return BmcSettings(**plain, options=tuple(sorted(options.items())))


def _watch_timeout(policy: Policy) -> SettingError | None:
    return _misses_heartbeats("watch_timeout", policy.watch_timeout, policy)


def _vanish_window(policy: Policy) -> SettingError | None:
    return _misses_heartbeats("vanish_window", policy.vanish_window, policy)


def _misses_heartbeats(name: str, value: timedelta, policy: Policy) -> SettingError | None:
    least = _HEARTBEATS_MISSED * policy.heartbeat_interval
    if value >= least:
        return None
    return SettingError(
        name,
        f"{to_json(value)}",
        f"write at least {to_json(least)}, three times heartbeat_interval, or make heartbeat_interval shorter",
    )


def _min_silence(policy: Policy) -> SettingError | None:
    least = timedelta(seconds=MIN_SILENCE_WITHOUT_HEARTBEAT_S)
    if policy.require_heartbeat or policy.min_silence >= least:
        return None
    return SettingError(
        "min_silence",
        f"{to_json(policy.min_silence)}",
        f"write at least {to_json(least)} where require_heartbeat is false: idle guests may write nothing for long",
    )


def _off_deadline(policy: Policy) -> SettingError | None:
    least = policy.off_reads * policy.read_spacing
    if policy.off_deadline >= least:
        return None
    return SettingError(
        "off_deadline",
        f"{to_json(policy.off_deadline)}",
        f"write at least {to_json(least)}, which off_reads reads with read_spacing between them take",
    )


def _ipmi_credentials(policy: Policy) -> SettingError | None:
    if policy.bmc.driver != "ipmi" and not (policy.bmc.driver == "exec" and command_of(policy.bmc.options).speaks_ipmi):
        return None
    if len(policy.bmc.password.encode()) > IPMI_PASSWORD_BYTES:
        return SettingError("ipmi.password", "", f"IPMI 2.0 takes passwords of at most {IPMI_PASSWORD_BYTES} bytes")
    if len(policy.bmc.username.encode()) > IPMI_USERNAME_BYTES:
        return SettingError(
            "ipmi.username", policy.bmc.username, f"IPMI 2.0 takes user names of at most {IPMI_USERNAME_BYTES} bytes"
        )
    return None


def _password_in_argv(policy: Policy) -> SettingError | None:
    return password_in_argv(policy.bmc)


def of_each_device(check: Callable[[Policy], SettingError | None], policy: Policy) -> SettingError | None:
    """The first problem that ``check`` finds with one of the policy's power devices, under that device's names."""
    for number in range(len(policy.methods)):
        problem = check(policy.using(number))
        if problem is not None:
            return problem.of_group(GROUPS[0], GROUPS[number])
    return None


def _one_device_twice(policy: Policy) -> SettingError | None:
    first, *others = policy.methods
    if any(same_machine(first, other) for other in others):
        return SettingError(
            "second.host", first.host, "it is the first power device again: write another device's, or leave it empty"
        )
    return None


_CHECKS: tuple[Callable[[Policy], SettingError | None], ...] = (
    _watch_timeout,
    _vanish_window,
    _min_silence,
    _off_deadline,
    _one_device_twice,
)
_DEVICE_CHECKS: tuple[Callable[[Policy], SettingError | None], ...] = (
    _ipmi_credentials,
    _password_in_argv,
    exec_problem,
)
