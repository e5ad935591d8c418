import json
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.catalogue import CATALOGUE
from controller.domain.channels.email import EmailChannel
from controller.domain.inheritance import Effective, Origin, channels_of, check_combination, explain, resolve
from controller.domain.model import Level, SettingRow
from controller.domain.policy import Action, Mode, Policy
from controller.domain.setting_values import parse, shown, to_json
from tests.unit.domain.settings_strategies import CLUSTER, HOST, OWNERS, rows, unique


def row(level: Level, field: str, value: Any, owner_id: str | None = None) -> SettingRow:
    return SettingRow(level=level, owner_id=OWNERS[level] if owner_id is None else owner_id, field=field, value=value)


def written(level: Level, **values: Any) -> list[SettingRow]:
    return [row(level, field.replace("__", "."), value) for field, value in values.items()]


def policy(*written_rows: SettingRow, others: int = 3) -> Policy:
    return resolve(written_rows, cluster_id=CLUSTER, host_id=HOST, other_hosts_in_cluster=others)


def effective(*written_rows: SettingRow, others: int = 3) -> dict[str, Effective]:
    return explain(written_rows, cluster_id=CLUSTER, host_id=HOST, other_hosts_in_cluster=others)


def test_nothing_written_gives_the_policys_own_defaults() -> None:
    found = policy()
    assert {one.name: getattr(found, one.name) for one in fields(Policy) if one.name != "bmc"} == {
        one.name: getattr(Policy(), one.name) for one in fields(Policy) if one.name != "bmc"
    }
    assert not found.bmc.configured
    assert all(one.source is Origin.DEFAULT for one in effective().values())


def test_every_policy_field_has_a_setting() -> None:
    assert {one.name for one in fields(Policy)} - {"bmc", "devices"} <= set(CATALOGUE)


def test_host_beats_cluster_beats_global_and_other_owners_do_not_count() -> None:
    levels = [
        row(Level.GLOBAL, "off_reads", 3),
        row(Level.CLUSTER, "off_reads", 4),
        row(Level.HOST, "off_reads", 5),
        row(Level.CLUSTER, "off_reads", 6, owner_id="another cluster"),
        row(Level.HOST, "off_reads", 7, owner_id="another host"),
    ]
    assert policy(*levels).off_reads == 5
    assert effective(*levels)["off_reads"] == Effective(value=5, source=Origin.HOST)
    for_cluster = explain(levels, cluster_id=CLUSTER, host_id=None, other_hosts_in_cluster=3)
    assert for_cluster["off_reads"] == Effective(value=4, source=Origin.CLUSTER)
    everywhere = explain(levels, cluster_id=None, host_id=None, other_hosts_in_cluster=3)
    assert everywhere["off_reads"] == Effective(value=3, source=Origin.GLOBAL)


def test_an_empty_user_name_is_a_value_and_not_inheritance() -> None:
    found = effective(row(Level.CLUSTER, "ipmi.username", "admin"), row(Level.HOST, "ipmi.username", ""))
    assert found["ipmi.username"] == Effective(value="", source=Origin.HOST)


@pytest.mark.parametrize(
    ("everywhere", "cluster", "host", "expected", "source"),
    [
        (None, None, None, Mode.OBSERVE, Origin.DEFAULT),
        (None, "enforce", "enforce", Mode.OBSERVE, Origin.DEFAULT),
        ("observe", "enforce", "enforce", Mode.OBSERVE, Origin.GLOBAL),
        ("enforce", None, None, Mode.ENFORCE, Origin.GLOBAL),
        ("enforce", "observe", "enforce", Mode.OBSERVE, Origin.CLUSTER),
        ("enforce", "enforce", "observe", Mode.OBSERVE, Origin.HOST),
        ("enforce", "enforce", None, Mode.ENFORCE, Origin.CLUSTER),
        ("enforce", None, "enforce", Mode.ENFORCE, Origin.HOST),
    ],
)
def test_the_strictest_mode_wins(
    everywhere: str | None, cluster: str | None, host: str | None, expected: Mode, source: Origin
) -> None:
    modes = [
        row(level, "mode", mode)
        for level, mode in zip(Level, (everywhere, cluster, host), strict=True)
        if mode is not None
    ]
    assert policy(*modes).mode is expected
    assert effective(*modes)["mode"] == Effective(value=expected.value, source=source)


def test_a_host_may_only_step_out_of_the_action() -> None:
    acting = row(Level.CLUSTER, "action", "off")
    assert policy(acting).action is Action.OFF
    assert policy(acting, row(Level.HOST, "action", "none")).action is Action.NONE


def test_a_row_that_can_not_be_read_means_observe() -> None:
    armed = row(Level.GLOBAL, "mode", "enforce")
    for broken in (
        row(Level.CLUSTER, "check_interval", "soon"),
        row(Level.CLUSTER, "a setting of tomorrow", 1),
        row(Level.HOST, "check_interval", 15),
        row(Level.HOST, "action", "off"),
    ):
        assert policy(armed, broken).mode is Mode.OBSERVE
        assert policy(armed, broken).action is Action.NONE
        assert effective(armed, broken)["mode"].source is Origin.DEFAULT
    elsewhere = row(Level.CLUSTER, "check_interval", "soon", owner_id="another cluster")
    assert policy(armed, elsewhere).mode is Mode.ENFORCE


@pytest.mark.parametrize(("others", "needed"), [(0, 2), (1, 1), (2, 2), (30, 2)])
def test_witnesses_follow_the_configured_membership(others: int, needed: int) -> None:
    assert policy(others=others).witnesses_required == needed
    assert policy(row(Level.CLUSTER, "witnesses_required", 3), others=others).witnesses_required == 3


def test_silence_must_last_longer_where_no_heartbeat_is_required() -> None:
    assert policy().min_silence == timedelta(seconds=60)
    bare = row(Level.CLUSTER, "require_heartbeat", value=False)
    assert policy(bare).min_silence == timedelta(seconds=130)
    assert check_combination(policy(bare)) == ()
    [problem] = check_combination(policy(bare, row(Level.GLOBAL, "min_silence", 60)))
    assert (problem.field, problem.shown) == ("min_silence", "60")
    assert "130" in problem.remedy


def test_the_bmc_is_put_together_from_all_levels() -> None:
    found = policy(
        *written(Level.GLOBAL, ipmi__username="fencer", ipmi__port=9623, ipmi__action_stop="off"),
        *written(Level.CLUSTER, ipmi__password="s3cret", ipmi__state_map={"2": "off", "0": "on"}),
        *written(Level.HOST, ipmi__host="10.0.0.7", ipmi__plug="3"),
    ).bmc
    assert (found.username, found.password, found.host, found.port, found.plug) == (
        "fencer",
        "s3cret",
        "10.0.0.7",
        9623,
        "3",
    )
    assert found.options == (
        ("action_stop", "off"),
        ("cipher", "auto"),
        ("privilege", "operator"),
        ("state_map", '{"0": "on", "2": "off"}'),
        ("tls", "verify"),
    )


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"heartbeat_interval": 5, "watch_timeout": 14}, "watch_timeout"),
        ({"heartbeat_interval": 6, "watch_timeout": 20}, "vanish_window"),
        ({"off_reads": 5, "read_spacing": 3, "off_deadline": 14}, "off_deadline"),
        ({"ipmi.password": "a" * 21}, "ipmi.password"),
        ({"ipmi.username": "a" * 17}, "ipmi.username"),
        ({"ipmi.secret_via": "argv"}, "ipmi.secret_via"),
        ({"ipmi.syntax": "$IPMI_EXEC --password $IPMI_password"}, "ipmi.syntax"),
    ],
)
def test_settings_that_make_no_sense_together(settings: dict[str, Any], field: str) -> None:
    levels = {name: min(CATALOGUE[name].levels) for name in settings}
    [problem] = check_combination(policy(*(row(levels[name], name, value) for name, value in settings.items())))
    assert problem.field == field
    assert problem.remedy


def test_settings_that_make_sense_together() -> None:
    unsafe = written(Level.CLUSTER, ipmi__unsafe_password_in_argv=True, ipmi__secret_via="argv")
    assert check_combination(policy(*unsafe)) == ()
    redfish = written(Level.CLUSTER, ipmi__driver="redfish", ipmi__password="a" * 40, ipmi__username="a" * 40)
    assert check_combination(policy(*redfish)) == ()


def test_channels_come_with_their_passwords_only_for_the_notifier() -> None:
    mail = {
        "name": "on call",
        "kind": "email",
        "host": "mail.example.org",
        "sender": "hostfence@example.org",
        "recipients": ["a@example.org"],
        "password": "s3cret",
    }
    channels = row(Level.GLOBAL, "channels", [mail])
    [channel] = channels_of([channels])
    assert isinstance(channel, EmailChannel)
    assert channel.password == "s3cret"
    assert channels_of([]) == ()
    assert "s3cret" not in json.dumps(effective(channels)["channels"].value)


@given(st.lists(rows(), max_size=12).map(unique))
def test_each_field_follows_the_most_specific_level(written_rows: list[SettingRow]) -> None:
    found = effective(*written_rows)
    order = list(Level)
    for name in CATALOGUE.keys() - {"mode", "min_silence", "witnesses_required"}:
        said = sorted((one for one in written_rows if one.field == name), key=lambda one: order.index(one.level))
        if said:
            stored = to_json(parse(name, said[-1].value))
            assert found[name] == Effective(value=shown(name, stored), source=Origin(said[-1].level.value))
        else:
            assert found[name] == Effective(value=shown(name, CATALOGUE[name].default), source=Origin.DEFAULT)


@given(st.lists(rows(), max_size=8).map(unique), rows())
def test_a_row_changes_its_own_field_and_removing_it_gives_the_inherited_one(
    written_rows: list[SettingRow], extra: SettingRow
) -> None:
    others = [one for one in written_rows if (one.level, one.field) != (extra.level, extra.field)]
    inherited, overridden = effective(*others), effective(*others, extra)
    changed = {name for name in CATALOGUE if inherited[name] != overridden[name]}
    assert changed <= {extra.field} | ({"min_silence"} if extra.field == "require_heartbeat" else set())
    broader = [one for one in others if list(Level).index(one.level) < list(Level).index(extra.level)]
    narrower = [one for one in others if one.field == extra.field and one not in broader]
    if not narrower and extra.field != "mode":
        assert overridden[extra.field].source.value == extra.level.value
        assert inherited[extra.field] == effective(*broader)[extra.field]


@given(st.lists(rows(), max_size=12).map(unique), st.integers(0, 40))
def test_what_may_be_saved_resolves_and_says_where_it_comes_from(written_rows: list[SettingRow], others: int) -> None:
    found = policy(*written_rows, others=others)
    told = effective(*written_rows, others=others)
    for one in fields(Policy):
        if one.name not in ("bmc", "devices"):
            assert to_json(getattr(found, one.name)) == told[one.name].value
    assert found.witnesses_required >= 1
    for problem in check_combination(found):
        assert problem.field in CATALOGUE


@given(st.lists(rows("mode"), max_size=3).map(unique))
def test_one_level_that_says_observe_is_enough(modes: list[SettingRow]) -> None:
    enforced = {one.level for one in modes if one.value == "enforce"}
    armed = Level.GLOBAL in enforced and len(enforced) == len(modes)
    assert policy(*modes).mode is (Mode.ENFORCE if armed else Mode.OBSERVE)


def test_a_second_device_is_a_device_of_its_own() -> None:
    two = written(Level.HOST, ipmi__host="10.0.0.7", second__host="10.0.0.8", second__driver="redfish")
    found = policy(*two)
    assert [(one.host, one.driver, one.port) for one in found.methods] == [
        ("10.0.0.7", "ipmi", 623),
        ("10.0.0.8", "redfish", 443),
    ]
    assert check_combination(found) == ()
    [problem] = check_combination(policy(*written(Level.HOST, ipmi__host="10.0.0.7", second__host="10.0.0.7")))
    assert problem.field == "second.host"
    alone = policy(*written(Level.HOST, second__host="10.0.0.8"))
    assert (alone.bmc.configured, len(alone.methods)) == (False, 1), "there is no second without a first"


def test_what_is_wrong_with_the_second_device_is_told_under_its_names() -> None:
    rows = written(Level.HOST, ipmi__host="10.0.0.7", second__host="10.0.0.8", second__password="x" * 21)
    [problem] = check_combination(policy(*rows))
    assert problem.field == "second.password"
