"""What the redfish driver adds to the settings: its port, its certificates."""

from typing import Any

import pytest

from controller.domain.inheritance import Origin, explain, resolve
from controller.domain.model import SettingRow
from controller.domain.setting_values import SettingError, parse
from tests.fixtures import builders

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def port(*rows: SettingRow) -> tuple[int, int, Origin]:
    """As the driver gets it, as people see it, and where it comes from."""
    where = {"cluster_id": None, "host_id": None, "other_hosts_in_cluster": 0}
    told = explain(rows, **where)["ipmi.port"]  # type: ignore[arg-type]  # three keywords
    return resolve(rows, **where).bmc.port, told.value, told.source  # type: ignore[arg-type]  # as above


def test_redfish_has_its_own_default_port() -> None:
    assert port() == (623, 623, Origin.DEFAULT)
    assert port(builders.setting("ipmi.driver", "redfish")) == (443, 443, Origin.DEFAULT)


def test_a_port_that_somebody_wrote_stays() -> None:
    rows = builders.setting("ipmi.driver", "redfish"), builders.setting("ipmi.port", 623)
    assert port(*rows) == (623, 623, Origin.GLOBAL)


@pytest.mark.parametrize(
    "raw", [PEM, f"subject=CN = bmc\n{PEM}\n", PEM.replace("\n", "\r\n"), f"{PEM}\n{PEM}", "", " \n"]
)
def test_certificates_are_kept_in_one_spelling(raw: str) -> None:
    kept = parse("ipmi.tls_ca", raw)
    assert "\r" not in kept
    assert kept == kept.strip()
    assert (PEM in kept) == (PEM.splitlines()[0] in raw)


@pytest.mark.parametrize(
    ("raw", "remedy"),
    [
        (3, "write certificates in PEM"),
        ("x" * 70_000, "at most 65536"),
        ("MIIB", "BEGIN CERTIFICATE"),
        (PEM.replace("END", "ENDE"), "BEGIN CERTIFICATE"),
        (f"{PEM}\x00", "BEGIN CERTIFICATE"),
        (f"é{PEM}", "BEGIN CERTIFICATE"),
        (f"{PEM}\n-----BEGIN PRIVATE KEY-----\ns3cret", "leave out the private key"),
    ],
)
def test_what_is_no_certificate_is_refused_and_not_repeated(raw: Any, remedy: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse("ipmi.tls_ca", raw)
    assert remedy in caught.value.remedy
    assert caught.value.shown == ""
    assert "s3cret" not in str(caught.value)
