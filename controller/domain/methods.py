"""A host's power devices as an ordered list of methods: when the next one is tried, and what starts anew with it. Pure.

Carries rules 1 and 6: every method proves *off* by its own device's reads; nothing one device said counts for another.
Carries rule 9 with :mod:`controller.domain.safeguards`: another method's command needs fresh evidence like any second
command; the budgets of commands add up.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from controller.domain.incident import Incident
from controller.domain.model import DeviceHealth, Health
from controller.domain.policy import Policy
from controller.domain.proof import Proof
from controller.domain.reasons import Reason

OF_THE_DEVICE = frozenset(
    {
        Reason.BMC_UNREACHABLE,
        Reason.BMC_SETTLING,
        Reason.BMC_UNPROVEN,
        Reason.BMC_SHARED,
        Reason.BMC_ADDRESS_REFUSED,
        Reason.DRIVER_CANNOT_PROVE,
        Reason.OFF_NOT_PROVEN,
        Reason.COMMAND_BUDGET,
        Reason.NOT_CONFIGURED,
    }
)
"""What another device may do better. Whatever else stands against a power-down stands against every method's."""


def next_method(incident: Incident, policy: Policy, why: Collection[Reason]) -> int | None:
    """The number of the method to try next; None when there is none, or when more than the device is in the way."""
    following = incident.method + 1
    tries = bool(why) and set(why) <= OF_THE_DEVICE and following < len(policy.methods)
    return following if tries else None


def with_method(incident: Incident, number: int, *, unreachable_at: datetime | None = None) -> Incident:
    """The incident with another method. Its proof begins anew.

    ``unreachable_at``: now, where nobody has looked at the device for a while: what it says counts once it has settled.
    """
    proof = Proof(voided=incident.proof.voided, unreachable_at=unreachable_at)
    return replace(incident, method=number, proof=proof)


def looked_at_in_turn(incident: Incident, policy: Policy, *, now: datetime) -> Incident:
    """While its devices hold it, each is looked at, one after the other: whichever answers again may end the hold."""
    if len(policy.methods) < 2 or not OF_THE_DEVICE & set(incident.reasons):
        return incident
    return with_method(incident, (incident.method + 1) % len(policy.methods), unreachable_at=now)


def from_the_first(incident: Incident, *, now: datetime) -> Incident:
    """What a person's retry starts with: the first device, whatever was tried before."""
    return incident if incident.method == 0 else with_method(incident, 0, unreachable_at=now)


def commands_allowed(incident: Incident, policy: Policy) -> int:
    """How many power-downs the incident may have sent by the end of the method in use."""
    return policy.max_commands_per_incident * (incident.method + 1)


def device_health(health: Health | None, identity: str) -> DeviceHealth:
    """What is remembered of a device of the host; nothing for another one."""
    known = [one for one in (health.first, health.second) if one.identity == identity] if health is not None else []
    return known[0] if known and identity else DeviceHealth()


def with_device(health: Health, number: int, device: DeviceHealth) -> Health:
    """The health with what is now known of method ``number``'s device."""
    if number:
        return replace(health, second=device)
    return replace(
        health,
        bmc_identity=device.identity,
        bmc_on_seen_at=device.on_seen_at,
        bmc_checked_at=device.checked_at,
        bmc_code=device.code,
        bmc_said=device.said,
    )
