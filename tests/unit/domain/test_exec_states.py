import pytest

from controller.domain.exec_states import Printed, can_read_off, found, state_of
from controller.domain.power import PowerState

CODES = {"0": "on", "2": "off"}
TEXTS = {"power is on": "on", "power is off": "off"}
BOTH = {**CODES, "Status: ON": "on", "Status: OFF": "off"}


@pytest.mark.parametrize(
    ("state_map", "code", "out", "state"),
    [
        (CODES, 0, "", "on"),
        (CODES, 2, "", "off"),
        (CODES, 1, "", "unknown"),
        (CODES, -9, "", "unknown"),
        (CODES, 0, "power is off", "on"),
        (TEXTS, 0, "Chassis Power is ON\n", "on"),
        (TEXTS, 0, "Chassis POWER IS OFF\n", "off"),
        (TEXTS, 1, "Chassis Power is off\n", "unknown"),
        (TEXTS, 0, "", "unknown"),
        (TEXTS, 0, "power is off\npower is on", "unknown"),
        (TEXTS, 0, "power is official", "unknown"),
        (TEXTS, 0, "power is offline", "unknown"),
        (BOTH, 0, "Status: ON", "on"),
        (BOTH, 2, "Status: OFF", "off"),
        (BOTH, 2, "", "off"),
        (BOTH, 0, "Status: OFF", "unknown"),
        (BOTH, 2, "Status: ON", "unknown"),
        ({**TEXTS, "stale": "unknown"}, 0, "power is off (stale)", "unknown"),
        ({"3": "unknown"}, 3, "", "unknown"),
        ({}, 0, "off", "unknown"),
    ],
)
def test_code_and_text_must_agree(state_map: dict[str, str], code: int, out: str, state: str) -> None:
    assert state_of(Printed(exit_code=code, out=out), state_map) is PowerState(state)


def test_a_text_cut_off_may_contradict_itself_further_on() -> None:
    assert state_of(Printed(exit_code=0, out="power is off", cut=True), TEXTS) is PowerState.UNKNOWN
    assert state_of(Printed(exit_code=2, out="x", cut=True), CODES) is PowerState.OFF


@pytest.mark.parametrize(
    ("pattern", "out", "fits"),
    [
        ("power*off", "Power state of blade 3: OFF", True),
        ("power*off", "power\noff", False),
        ("off*power", "power off", False),
        ("off", "offline, official, really off", True),
        ("off", "poweroff", False),
        (": off", "state: off.", True),
        ("*", "anything", False),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, out: str, fits: object) -> None:
    assert found(pattern, out) is fits


def test_a_long_output_costs_little() -> None:
    assert not found("a*a*a*a*a*b", "a " * 30_000)


def test_which_maps_can_prove_anything() -> None:
    assert can_read_off(CODES)
    assert not can_read_off({"0": "on"})
