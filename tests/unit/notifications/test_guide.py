"""docs/notifications.md names what there is: kinds, fields, services, what a delivery may be, the MIB's place."""

import json
import re
from pathlib import Path

import pytest

from controller.domain.channels.apprise import SERVICES
from controller.domain.channels.base import COMMON
from controller.domain.channels.kinds import KINDS, parse_channels
from controller.domain.channels.snmp import BASE_OID
from controller.domain.model import DeliveryStatus

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/notifications.md").read_text()


def test_every_kind_and_field_is_named() -> None:
    for kind in KINDS.values():
        assert f"| `{kind.name}` |" in GUIDE
    for field in COMMON:
        assert f"| `{field}` |" in GUIDE
    for field in {*KINDS["snmp"].fields, *KINDS["email"].fields} - {"host", "sender", "recipients"}:
        assert f"`{field}`" in GUIDE


def test_every_service_is_named() -> None:
    assert set(re.findall(r"`(\w+)://`", GUIDE)) == set(SERVICES)


def test_every_end_of_a_delivery_is_named() -> None:
    assert [status for status in DeliveryStatus if f"| `{status}` |" not in GUIDE] == []


def test_the_place_that_the_guide_edits_stands_in_the_mib_once() -> None:
    [edited] = re.findall(r"sed -i 's/(.+?)/", GUIDE)
    assert (ROOT / "deploy/snmp/HOSTFENCE-MIB.txt").read_text().count(edited) == 1
    assert BASE_OID in GUIDE


def test_the_example_can_be_saved() -> None:
    [example] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    saved = parse_channels(json.loads(example.replace("…", "MTIzNDU2Nzg5MDEyMzQ1Njc4")))
    assert {one.kind for one in saved} == set(KINDS)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+?)\)", GUIDE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
