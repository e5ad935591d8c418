from dataclasses import fields

import pytest

from controller.domain.policy import Action, BmcSettings, Policy
from controller.domain.power import BmcTarget, Outcome, PowerAction, PowerReading, PowerState

SECRET = "correct horse"


def target(**changes: object) -> BmcTarget:
    known: dict[str, object] = {
        "driver": "ipmi",
        "address": "10.0.0.9",
        "port": 623,
        "username": "admin",
        "password": SECRET,
    }
    return BmcTarget(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("action", list(PowerAction))
def test_only_off_and_reboot_take_running_machines_down(action: PowerAction) -> None:
    assert action.destructive == (action in {PowerAction.OFF, PowerAction.REBOOT})


@pytest.mark.parametrize("action", list(Action))
def test_only_off_and_reboot_need_proof_and_release(action: Action) -> None:
    assert action.takes_down == (action in {Action.OFF, Action.REBOOT})


def test_a_device_is_reachable_when_it_gave_a_clear_state() -> None:
    assert PowerReading(state=PowerState.ON).reachable
    assert PowerReading(state=PowerState.OFF).reachable
    assert not PowerReading(state=PowerState.UNKNOWN).reachable


def test_a_commands_answer_has_no_room_for_a_power_state() -> None:
    assert not [f.name for f in fields(Outcome) if "state" in f.name]
    assert not any(isinstance(f.default, PowerState) for f in fields(Outcome))


def test_two_targets_with_one_identity_are_one_machine() -> None:
    assert target().identity == target(username="other", password="else").identity
    assert len({target(**c).identity for c in ({}, {"plug": "2"}, {"port": 624}, {"address": "10.0.0.8"})}) == 4


def test_the_policy_and_the_target_name_a_device_alike() -> None:
    settings = BmcSettings(driver="ipmi", host="10.0.0.9", port=623, plug="3")
    assert settings.identity == target(plug="3").identity


def test_no_password_shows_in_a_repr() -> None:
    settings = BmcSettings(host="10.0.0.9", password=SECRET)
    for shown in (target(), settings, Policy(bmc=settings)):
        assert SECRET not in repr(shown)


def test_a_device_is_configured_once_it_has_an_address() -> None:
    assert not BmcSettings().configured
    assert BmcSettings(host="10.0.0.9").configured


def test_additional_checks_come_on_top_of_the_first() -> None:
    assert Policy(additional_checks=0).rounds_needed == 1
    assert Policy(additional_checks=3).rounds_needed == 4
