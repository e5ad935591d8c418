import pytest

from controller.domain.addresses import canonical_address, refused_for_power_device


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
