"""What is refused when a redfish device's TLS is saved."""

from pathlib import Path

import pytest

from controller.services.device_rules import DeviceRules, refuse_unusable_device
from controller.services.errors import BadInput
from tests.fixtures.authority import Authority

RULES = DeviceRules(drivers=frozenset({"redfish"}))
LAB = DeviceRules(drivers=RULES.drivers, allow_local=True)
JUNK = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def test_a_text_without_a_certificate_that_can_be_read() -> None:
    with pytest.raises(BadInput, match="holds no certificate") as caught:
        refuse_unusable_device({"ipmi.tls_ca": JUNK}, RULES)
    assert caught.value.field == "ipmi.tls_ca"


def test_one_bad_certificate_among_good_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        refuse_unusable_device({"ipmi.tls_ca": f"{Authority(tmp_path).pem}\n{JUNK}"}, RULES)


@pytest.mark.parametrize("several", [1, 3])
def test_certificates_are_fine(tmp_path: Path, several: int) -> None:
    refuse_unusable_device({"ipmi.tls_ca": "\n".join(Authority(tmp_path).pem for _ in range(several))}, RULES)
    refuse_unusable_device({"ipmi.tls_ca": "", "ipmi.tls": "insecure"}, RULES)


def test_plain_http_is_for_labs_only() -> None:
    with pytest.raises(BadInput, match="unprotected") as caught:
        refuse_unusable_device({"ipmi.tls": "plain"}, RULES)
    assert caught.value.field == "ipmi.tls"
    refuse_unusable_device({"ipmi.tls": "plain"}, LAB)
