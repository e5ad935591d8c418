from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.catalogue import CATALOGUE, Kind
from controller.domain.exec_template import template_variables
from controller.domain.model import Level
from controller.domain.policy import Action
from controller.domain.setting_values import (
    SettingError,
    check_level,
    parse,
    setting_named,
    shown,
    to_json,
)
from tests.unit.domain.settings_strategies import values_of


@settings(max_examples=20)
@given(st.data())
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_possible_value_survives_the_way_into_the_store_and_back(name: str, data: st.DataObject) -> None:
    raw = data.draw(values_of(CATALOGUE[name]))
    value = parse(name, raw)
    assert parse(name, to_json(value)) == value
    assert to_json(parse(name, to_json(value))) == to_json(value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=30)
@given(_json)
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_anything_else_is_refused_with_field_and_remedy(name: str, raw: Any) -> None:
    value: Any = None
    problem: SettingError | None = None
    try:
        value = parse(name, raw)
    except SettingError as refused:
        problem = refused
    if problem is None:
        assert parse(name, to_json(value)) == value
    else:
        assert problem.field == name
        assert problem.remedy
        assert not (CATALOGUE[name].secret and problem.shown)


def test_durations_are_seconds() -> None:
    assert parse("check_interval", 15) == timedelta(seconds=15)
    assert parse("check_interval", 7.5) == timedelta(seconds=7.5)
    assert to_json(timedelta(seconds=7.5)) == 7.5
    assert isinstance(to_json(timedelta(seconds=15)), int)
    assert CATALOGUE["check_interval"].unit == "seconds"
    assert CATALOGUE["off_reads"].unit == ""


def test_every_default_is_a_possible_value() -> None:
    for setting in CATALOGUE.values():
        if setting.default is not None:
            assert to_json(parse(setting.name, setting.default)) == setting.default


@pytest.mark.parametrize(
    ("field", "raw", "remedy"),
    [
        ("check_interval", 4, "from 5 to 300"),
        ("check_interval", 301, "from 5 to 300"),
        ("check_interval", "15", "a number of seconds"),
        ("check_interval", True, "a number of seconds"),
        ("check_interval", float("nan"), "a number of seconds"),
        ("additional_checks", 2.5, "a whole number from 0 to 100"),
        ("require_heartbeat", 1, "true or false"),
        ("action", "explode", "none, blink, off, reboot"),
        ("action", None, "none, blink, off, reboot"),
        ("ipmi.username", "a\nb", "line breaks"),
        ("ipmi.username", "\ud800", "control characters"),
        ("ipmi.username", "x" * 2000, "at most 1024"),
        ("ipmi.host", "bad host", "host name"),
        ("ipmi.host", "127.1", "host name"),
        ("ipmi.host", "a..b", "host name"),
        ("ipmi.syntax", "$IPMI_EXEC $IPMI_COLOUR", "$IPMI_COLOUR is not known"),
        ("ipmi.syntax", "$HOME/x", "$HOME is not known"),
        ("ipmi.state_map", [], "write an object"),
        ("ipmi.state_map", {"0": "maybe"}, "on, off, unknown"),
        ("ipmi.state_map", {"": "on"}, "on, off, unknown"),
        ("ipmi.state_map", {"a\x00b": "on"}, "on, off, unknown"),
        ("channels", {}, "write a list"),
        ("channels", [3], "channel 1: write an object"),
    ],
)
def test_what_is_wrong_is_said(field: str, raw: Any, remedy: str) -> None:
    with pytest.raises(SettingError, match="^" + field) as caught:
        parse(field, raw)
    assert remedy in caught.value.remedy


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(SettingError) as caught:
        parse("ipmi.password", "s3cret\n")
    assert "s3cret" not in str(caught.value)


def test_a_long_refused_value_is_cut() -> None:
    with pytest.raises(SettingError) as caught:
        parse("ipmi.username", "x" * 5000)
    assert len(caught.value.shown) == 80


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingError, match="no such setting"):
        setting_named("chek_interval")


def test_each_setting_has_its_levels() -> None:
    with pytest.raises(SettingError, match="can't be set at host level; set it at global or cluster level"):
        check_level("check_interval", Level.HOST, 15)
    with pytest.raises(SettingError, match="set it at host level"):
        check_level("ipmi.host", Level.CLUSTER, "10.0.0.1")
    with pytest.raises(SettingError, match="may only choose none"):
        check_level("action", Level.HOST, "off")
    check_level("action", Level.HOST, "none")
    check_level("action", Level.CLUSTER, "off")


def test_addresses_are_written_in_one_way() -> None:
    assert parse("ipmi.host", " BMC-7.Example.ORG. ") == "bmc-7.example.org"
    assert parse("ipmi.host", "2001:DB8:0::7") == "2001:db8::7"
    assert parse("ipmi.host", "") == ""


def test_people_see_of_a_secret_only_whether_it_is_set() -> None:
    assert shown("ipmi.password", "s3cret") == {"set": True}
    assert shown("ipmi.password", "") == {"set": False}
    assert shown("ipmi.username", "fencer") == "fencer"
    assert shown("channels", [{"name": "a", "password": "p"}, 3]) == [{"name": "a", "password_set": True}, {}]
    assert shown("channels", "broken") == []
    assert shown("a setting of tomorrow", "anything") is None


def test_enums_are_written_as_words() -> None:
    assert to_json(Action.OFF) == "off"
    assert type(to_json(Action.OFF)) is str


def test_template_variables_are_read_in_any_case() -> None:
    assert template_variables("$IPMI_EXEC -p ${Ipmi_Password}") == {"exec", "password"}


def test_secrets_are_marked() -> None:
    assert {one.name for one in CATALOGUE.values() if one.secret} == {"ipmi.password", "second.password", "channels"}
    assert all(one.help for one in CATALOGUE.values())
    assert all(one.kind is not Kind.ADDRESS or one.levels == {Level.HOST} for one in CATALOGUE.values())
