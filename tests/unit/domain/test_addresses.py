import pytest

from controller.domain.addresses import canonical_address, places, refused_for_power_device


def test_addresses_have_one_spelling() -> None:
    assert canonical_address(" BMC-7.Example.ORG. ") == "bmc-7.example.org"
    assert canonical_address("2001:DB8:0::7") == "2001:db8::7"
    assert canonical_address("") == ""


@pytest.mark.parametrize("text", ["bad host", "127.1", "a..b", "-x", "http://x", "a." * 130 + "b"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="IP address or a host name"):
        canonical_address(text)


@pytest.mark.parametrize(
    "address",
    [
        *("localhost", "x.localhost", "127.0.1.7", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"),  # noqa: S104
        *("169.254.3.4", "fe80::1", "224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_addresses_no_power_device_can_have(address: str) -> None:
    assert refused_for_power_device(address)


@pytest.mark.parametrize("address", ["10.0.0.7", "2001:db8::7", "bmc7.example.org", "::ffff:10.0.0.7"])
def test_addresses_a_power_device_can_have(address: str) -> None:
    assert refused_for_power_device(address) == ""


def test_names_and_addresses_that_lead_to_one_place_are_one() -> None:
    resolved = {
        "bmc-a": frozenset({"10.0.0.7", "fd00::7"}),
        "alias": frozenset({"fd00::7"}),
        "bmc-b": frozenset({"10.0.0.8"}),
        "gone": frozenset[str](),
    }
    at = places(["10.0.0.7", "bmc-a", "alias", "bmc-b", "gone", "unheard-of"], resolved)
    assert at["10.0.0.7"] == at["bmc-a"] == at["alias"]
    assert len({at[name] for name in ("bmc-a", "bmc-b", "gone", "unheard-of")}) == 4
    assert places(["bmc-a"], {}) == {"bmc-a": "bmc-a"}
