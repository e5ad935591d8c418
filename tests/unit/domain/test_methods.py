"""The list of power devices: what makes the next one's turn, and that nothing of one counts for another."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.incident import Command, CommandStatus
from controller.domain.methods import (
    OF_THE_DEVICE,
    commands_allowed,
    device_health,
    from_the_first,
    looked_at_in_turn,
    next_method,
    with_device,
    with_method,
)
from controller.domain.model import DeviceHealth
from controller.domain.policy import BmcSettings, Policy, same_machine
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from tests.fakes.clock import START
from tests.fixtures import builders as a

FIRST, SECOND = BmcSettings(host="bmc-1"), BmcSettings(host="pdu-1", plug="4")
TWO = Policy(bmc=FIRST, devices=(FIRST, SECOND))
ONE = Policy(bmc=FIRST, devices=(FIRST,))
PROVEN = Proof(reads=3, proven_at=START, last_at=START, voided=2)


def test_each_method_is_the_policy_with_its_device() -> None:
    assert TWO.using(0) == TWO
    assert TWO.using(1).bmc == SECOND
    assert TWO.using(1).methods == (FIRST, SECOND)
    assert ONE.using(1).bmc == FIRST, "the list became shorter"
    assert Policy(bmc=FIRST).methods == (FIRST,)


@pytest.mark.parametrize("reason", sorted(OF_THE_DEVICE))
def test_trouble_with_the_device_alone_leads_to_the_next_one(reason: Reason) -> None:
    assert next_method(a.incident(), TWO, [reason]) == 1
    assert next_method(a.incident(method=1), TWO, [reason]) is None
    assert next_method(a.incident(), ONE, [reason]) is None


@pytest.mark.parametrize("reason", [r for r in Reason if r not in OF_THE_DEVICE])
def test_nothing_else_does(reason: Reason) -> None:
    assert next_method(a.incident(), TWO, [reason]) is None
    assert next_method(a.incident(), TWO, [Reason.BMC_UNREACHABLE, reason]) is None


def test_no_reason_is_no_trouble() -> None:
    assert next_method(a.incident(), TWO, []) is None


def test_a_proof_never_goes_over_to_another_device() -> None:
    moved = with_method(a.incident(proof=PROVEN), 1)
    assert (moved.method, moved.proof) == (1, Proof(voided=2))
    again = from_the_first(moved, now=START)
    assert (again.method, again.proof) == (0, Proof(voided=2, unreachable_at=START))
    assert from_the_first(a.incident(proof=PROVEN), now=START).proof == PROVEN


def test_held_by_its_devices_it_looks_at_them_in_turn() -> None:
    held = a.incident(reasons=(Reason.BMC_UNREACHABLE,))
    other = looked_at_in_turn(held, TWO, now=START)
    assert (other.method, other.proof.unreachable_at) == (1, START)
    assert looked_at_in_turn(other, TWO, now=START).method == 0
    assert looked_at_in_turn(held, ONE, now=START) == held
    paused = replace(held, reasons=(Reason.PAUSED,))
    assert looked_at_in_turn(paused, TWO, now=START) == paused


def test_budgets_add_up() -> None:
    sent = a.incident(command=Command(status=CommandStatus.ANSWERED, count=3))
    assert commands_allowed(sent, TWO) == 3
    assert commands_allowed(replace(sent, method=1), TWO) == 6


def test_what_is_remembered_belongs_to_one_device() -> None:
    seen = DeviceHealth(identity=SECOND.identity, on_seen_at=START - timedelta(hours=1), said="on")
    health = with_device(a.health(bmc_identity=FIRST.identity), 1, seen)
    assert device_health(health, SECOND.identity) == seen
    assert device_health(health, FIRST.identity).on_seen_at is None
    assert device_health(health, "ipmi://another:623/") == DeviceHealth()
    assert device_health(None, FIRST.identity) == device_health(a.health(), "") == DeviceHealth()
    first = replace(seen, identity=FIRST.identity)
    assert with_device(health, 0, first).first == first


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"host": "10.0.0.8"}, False),
        ({}, {"port": 6230}, False),
        ({}, {"driver": "redfish", "port": 443}, True),
        ({"plug": "1"}, {"plug": "2"}, False),
        ({"plug": "1"}, {}, True),
        ({"driver": "redfish", "plug": "1"}, {"driver": "exec", "plug": "1", "port": 22}, True),
        ({"host": ""}, {"host": ""}, False),
    ],
)
def test_two_that_may_be_one_device(one: dict[str, object], other: dict[str, object], same: bool) -> None:  # noqa: FBT001
    made = [BmcSettings(**{"host": "10.0.0.7", **given}) for given in (one, other)]  # type: ignore[arg-type]
    assert same_machine(*made) is same_machine(*reversed(made)) is same
