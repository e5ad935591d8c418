import pytest

from controller.domain.in_flight import bmc_of, commands, in_flight, place_of
from controller.domain.power import PowerAction
from tests.fixtures.builders import attempt

STRIP = "exec://strip:623/"


@pytest.mark.parametrize(
    ("identity", "bmc", "place"),
    [
        ("ipmi://10.0.0.7:623/", "10.0.0.7:623", "10.0.0.7:623/"),
        ("exec://strip:623/7", "strip:623", "strip:623/7"),
        ("redfish://fd00::7:443/Blade/1", "fd00::7:443", "fd00::7:443/Blade/1"),
        ("", "", ""),
    ],
)
def test_a_device_is_its_address_and_its_outlets_share_it(identity: str, bmc: str, place: str) -> None:
    assert (bmc_of(identity), place_of(identity)) == (bmc, place)


@pytest.mark.parametrize(
    "other",
    [
        attempt(host_id="h1", bmc_identity="ipmi://elsewhere:623/"),
        attempt(host_id="far", bmc_identity=f"{STRIP}3"),
        attempt(host_id="far", bmc_identity="ipmi://strip:623/"),
        attempt(host_id="far", bmc_identity=f"{STRIP}7", action=PowerAction.BLINK),
    ],
    ids=["the same host", "another outlet", "another driver", "a light"],
)
def test_commands_exclude_each_other(other: object) -> None:
    assert in_flight([other], host_id="h1", identity=f"{STRIP}7")  # type: ignore[list-item]  # parametrised


@pytest.mark.parametrize(
    "other",
    [
        attempt(host_id="far", bmc_identity="exec://strip:624/7"),
        attempt(host_id="far", bmc_identity="exec://strip2:623/7"),
        attempt(host_id="h1", bmc_identity=f"{STRIP}7", action=PowerAction.TEST),
    ],
    ids=["another port", "another address", "a person's test"],
)
def test_what_is_elsewhere_or_only_reads_does_not(other: object) -> None:
    assert not in_flight([other], host_id="h1", identity=f"{STRIP}7")  # type: ignore[list-item]  # parametrised


def test_only_commands_are_commands() -> None:
    off, test = attempt(action=PowerAction.OFF), attempt(action=PowerAction.TEST)
    assert commands([test, off]) == [off]
