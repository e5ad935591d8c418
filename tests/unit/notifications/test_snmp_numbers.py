"""The numbers of HOSTFENCE-MIB: each kind has one of its own, and none changes."""

import pytest

from controller.domain.model import Severity
from controller.domain.notice_texts import NoticeKind
from controller.notifications.channels.snmp import cut
from controller.notifications.channels.snmp_numbers import (
    NOTIFICATIONS,
    OBJECTS,
    OTHER,
    SEVERITIES,
    notification_name,
    object_oid,
    trap_oid,
)

GIVEN_OUT = {
    "test": 1,
    "digest": 2,
    "opened": 10,
    "held": 11,
    "hold_changed": 12,
    "reminder": 13,
    "contradiction": 14,
    "other_host_vanished": 15,
    "would_have_fenced": 16,
    "action_none": 17,
    "blink": 18,
    "nothing_to_release": 19,
    "fencing": 20,
    "off_proven": 21,
    "fenced": 22,
    "fenced_in_part": 23,
    "stays_off": 24,
    "recovered": 25,
    "cancelled": 26,
    "acknowledged": 27,
    "returned": 28,
    "return_waits": 29,
    "placed_elsewhere": 30,
    "quarantine_failed": 31,
    "unquarantine_failed": 32,
    "release_failed": 33,
    "blink_failed": 34,
    "blink_off_failed": 35,
    "power_on_failed": 36,
    "bmc_test_failed": 50,
    "certificate_ends": 51,
    "certificate_ended": 52,
    "cloud_trouble": 60,
    "cloud_is_back": 61,
    "database_restored": 70,
}
"""What receivers out there go by. Lines are added here, never changed."""


def test_every_kind_has_a_number_of_its_own() -> None:
    assert set(NOTIFICATIONS) == set(NoticeKind)
    assert len({*NOTIFICATIONS.values(), OTHER}) == len(NOTIFICATIONS) + 1
    assert [one.number for one in OBJECTS] == list(range(1, 15))
    assert set(SEVERITIES) == set(Severity)


def test_no_number_that_was_given_out_changes() -> None:
    assert {str(kind): number for kind, number in NOTIFICATIONS.items() if kind in GIVEN_OUT} == GIVEN_OUT


def test_names_and_oids() -> None:
    assert notification_name("bmc_test_failed") == "hostfenceBmcTestFailed"
    assert trap_oid("held", base="1.2") == "1.2.0.11"
    assert trap_oid("brand_new", base="1.2") == f"1.2.0.{OTHER}"
    assert object_oid(OBJECTS[4], base="1.2") == "1.2.1.5.0"


@pytest.mark.parametrize(
    ("text", "longest", "found"),
    [("short", 5, "short"), ("too long", 6, "too…"), ("ää" * 9, 8, "ää…"), ("two\nlines", 99, "two lines")],
)
def test_texts_are_cut_between_signs(text: str, longest: int, found: str) -> None:
    assert cut(text, longest) == found.encode()
    assert len(found.encode()) <= longest
