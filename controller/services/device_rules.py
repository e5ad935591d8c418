"""Which power devices settings may name: a known driver, an address outside the controller, one device for one host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.domain.addresses import refused_for_power_device
from controller.domain.catalogue import GROUPS
from controller.domain.reasons import Reason
from controller.power.drivers.redfish_tls import certificate_fault
from controller.services.errors import BadInput, Refused
from controller.services.exec_rules import ReadAgent, program_fault
from controller.services.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRules:
    """``drivers``: those this controller has. ``allow_local``: a lab, where devices live on this machine."""

    drivers: frozenset[str]
    allow_local: bool = False
    exec_allowed: tuple[Path, ...] = ()
    """The programs that the ``exec`` driver may run."""
    read_agent: ReadAgent | None = None
    """Asks a fence agent for its metadata."""


def refuse_unusable_device(values: Mapping[str, Any], rules: DeviceRules) -> None:
    """Raise :class:`BadInput` for a driver, a program or an address that this controller can't use."""
    for group in GROUPS:
        _refuse_unusable(group, values, rules)


def _refuse_unusable(group: str, values: Mapping[str, Any], rules: DeviceRules) -> None:
    driver = values.get(f"{group}driver")
    if driver is not None and driver not in rules.drivers:
        known = ", ".join(sorted(rules.drivers))
        raise _bad(f"{group}driver", f"there is no driver {driver!r}; this controller has {known}")
    if not rules.allow_local and values.get(f"{group}tls") == "plain":
        raise _bad(
            f"{group}tls",
            f"plain sends the password unprotected and is for labs only; write verify, and {group}tls_ca where "
            "the device's certificate comes from an authority of your own",
        )
    if fault := certificate_fault(values.get(f"{group}tls_ca", "")):
        raise _bad(f"{group}tls_ca", fault)
    program = values.get(f"{group}exec", "")
    if program and (fault := program_fault(program, rules.exec_allowed)):
        raise _bad(f"{group}exec", fault)
    address = values.get(f"{group}host", "")
    if not rules.allow_local and (why := refused_for_power_device(address)):
        field = f"{group}host"
        text = f"{address} {why}; write the address of the host's power device"
        raise BadInput(f"{field}: {text}", code=Reason.BMC_ADDRESS_REFUSED.value, field=field)


def _bad(field: str, fault: str) -> BadInput:
    return BadInput(f"{field}: {fault}", code="bad_setting", field=field)


def refuse_shared_devices(before: Policies, after: Policies) -> None:
    """Raise :class:`Refused` when a change gives two hosts one device: powering one off would take the other down."""
    known = before.shared_devices()
    for identity, hosts in after.shared_devices().items():
        if hosts != known.get(identity):
            names = " and ".join(sorted(host.name for host in hosts))
            raise Refused(
                f"{names} would have the same power device {identity}; give each its own ipmi.host or ipmi.plug",
                code=Reason.BMC_SHARED.value,
                field="ipmi.host",
                reasons=[Reason.BMC_SHARED],
            )
