"""The settings form as data: every setting has its place, and only what a person changed is written."""

from typing import Any

import pytest

from controller.domain.catalogue import CATALOGUE
from controller.domain.inheritance import Origin, explain
from controller.domain.model import Level, SettingRow
from controller.web.views.settings_form import (
    GROUPS,
    FieldView,
    Sources,
    Typed,
    changes_in,
    group_named,
    rows,
    with_typed,
)

NAMES = {origin: origin.value for origin in Origin}


def fields(level: Level, group: str, **written: Any) -> dict[str, FieldView]:
    named = {name.replace("__", "."): value for name, value in written.items()}
    owner = {Level.GLOBAL: "", Level.CLUSTER: "c1", Level.HOST: "h1"}[level]
    stored = [SettingRow(level=level, owner_id=owner, field=name, value=value) for name, value in named.items()]
    effective = explain(stored, cluster_id="c1", host_id="h1", other_hosts_in_cluster=3)
    shown = {name: {"set": True} if CATALOGUE[name].secret else value for name, value in named.items()}
    sources = Sources(level=level, effective=effective, written=shown, names=NAMES, elsewhere={"ipmi.port": 2})
    return {one.name: one for one in rows(group_named(group, level), sources)}


def sent(*shown: FieldView, **typed: Typed) -> dict[str, str]:
    """What a browser sends of these rows, with these answers typed over them."""
    form: dict[str, str] = {}
    for one in shown:
        now = typed.get(one.name.replace(".", "__"), Typed(own=one.own, value=one.value))
        form |= {f"own.{one.name}": "1"} if now.own else {}
        form |= {f"was_own.{one.name}": "1"} if one.was_own else {}
        form |= {f"value.{one.name}": now.value.replace("\n", "\r\n")}
        form |= {} if one.secret else {f"was.{one.name}": one.was.replace("\n", "\r\n")}
    return form


def test_every_setting_but_the_mode_is_in_one_tab() -> None:
    names = [name for group in GROUPS for name in group.names]
    assert sorted(names) == sorted(name for name in CATALOGUE if name != "mode")


@pytest.mark.parametrize("level", list(Level))
def test_what_nobody_touched_is_not_written(level: Level) -> None:
    for group in GROUPS:
        shown = fields(level, group.key, ipmi__state_map={"0": "on"}, ipmi__password="x", ipmi__port=1623)
        assert changes_in(sent(*shown.values()), group_named(group.key, level), level) == {}


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("ipmi.port", "1623", 1623),
        ("ipmi.port", "many", "many"),
        ("ipmi.username", "", ""),
        ("ipmi.unsafe_password_in_argv", "true", True),
        ("ipmi.state_map", '{"0": "on"}', {"0": "on"}),
        ("ipmi.state_map", "{", "{"),
        ("ipmi.state_map", "", {}),
        ("ipmi.password", "x", "x"),
    ],
)
def test_a_typed_value_is_read_as_its_kind(name: str, typed: str, value: object) -> None:
    shown = fields(Level.CLUSTER, "ipmi")[name]
    form = sent(shown, **{name.replace(".", "__"): Typed(own=True, value=typed)})
    assert changes_in(form, group_named("ipmi", Level.CLUSTER), Level.CLUSTER) == {name: value}


def test_a_box_that_is_no_longer_ticked_inherits_again() -> None:
    shown = fields(Level.CLUSTER, "ipmi", ipmi__port=1623, ipmi__password="x")
    off = Typed(own=False, value="1623")
    form = sent(*shown.values(), ipmi__port=off, ipmi__password=off)
    changes = changes_in(form, group_named("ipmi", Level.CLUSTER), Level.CLUSTER)
    assert changes == {"ipmi.port": None, "ipmi.password": None}


def test_a_setting_of_another_level_is_shown_and_not_taken() -> None:
    shown = fields(Level.HOST, "checking")["check_interval"]
    assert (shown.editable, shown.settable_at, shown.holds) == (False, "global or cluster", "15 s")
    form = {"own.check_interval": "1", "value.check_interval": "5"}
    assert changes_in(form, group_named("checking", Level.HOST), Level.HOST) == {}


def test_a_host_is_offered_only_what_it_may_choose() -> None:
    assert fields(Level.HOST, "ipmi")["action"].choices == (("none", "none"),)


def test_an_untouched_choice_shows_what_is_inherited() -> None:
    assert fields(Level.CLUSTER, "ipmi")["ipmi.unsafe_password_in_argv"].value == "false"
    assert fields(Level.CLUSTER, "ipmi")["ipmi.username"].value == ""


def test_a_risk_is_said_where_it_is_taken() -> None:
    assert fields(Level.GLOBAL, "checking")["require_heartbeat"].warning == ""
    assert "idle" in fields(Level.GLOBAL, "checking", require_heartbeat=False)["require_heartbeat"].warning


def test_a_secret_is_nowhere_in_a_row() -> None:
    shown = fields(Level.CLUSTER, "ipmi", ipmi__password="hunter2")
    assert "hunter2" not in repr(shown)
    again = with_typed(tuple(shown.values()), {"ipmi.password": Typed(own=True, value="hunter3")}, {})
    assert "hunter3" not in repr(again)
