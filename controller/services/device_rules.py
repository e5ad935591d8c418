"""Which power devices settings may name: a known driver, an address outside the controller, one device for one host."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.domain.addresses import refused_for_power_device
from controller.domain.catalogue import GROUPS
from controller.domain.reasons import Reason
from controller.power.drivers.redfish_tls import certificate_fault
from controller.power.names import LookUp
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
    look_up: LookUp | None = None
    """Tells what a device's name resolves to."""


def refuse_unusable_device(
    values: Mapping[str, Any], rules: DeviceRules, resolved: Mapping[str, frozenset[str]] | None = None
) -> None:
    """Raise :class:`BadInput` for a driver, a program or an address that this controller can't use.

    ``resolved``: what names are known to resolve to.
    """
    for group in GROUPS:
        _refuse_unusable(group, values, rules, resolved or {})


def _refuse_unusable(
    group: str, values: Mapping[str, Any], rules: DeviceRules, resolved: Mapping[str, frozenset[str]]
) -> None:
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
    if not rules.allow_local:
        _refuse_local(f"{group}host", values.get(f"{group}host", ""), resolved)


def _refuse_local(field: str, host: str, resolved: Mapping[str, frozenset[str]]) -> None:
    for address in (host, *sorted(resolved.get(host, ()))):
        if why := refused_for_power_device(address):
            shown = host if address == host else f"{host} resolves to {address}, which"
            text = f"{shown} {why}; write the address of the host's power device"
            raise BadInput(f"{field}: {text}", code=Reason.BMC_ADDRESS_REFUSED.value, field=field)


def _bad(field: str, fault: str) -> BadInput:
    return BadInput(f"{field}: {fault}", code="bad_setting", field=field)


async def resolved_names(hosts: Iterable[str], rules: DeviceRules) -> dict[str, frozenset[str]]:
    """What each of these resolves to now; nothing where that cannot be asked. Takes seconds where nobody answers."""
    if rules.look_up is None:
        return {}
    names = sorted({host for host in hosts if host})
    found = await asyncio.gather(*(rules.look_up(name) for name in names))
    return dict(zip(names, found, strict=True))


def refuse_shared_devices(
    before: Policies, after: Policies, resolved: Mapping[str, frozenset[str]] | None = None
) -> None:
    """Raise :class:`Refused` when a change gives two hosts one device: powering one off would take the other down."""
    known = before.shared_devices(resolved)
    for identity, hosts in after.shared_devices(resolved).items():
        if hosts != known.get(identity):
            names = " and ".join(sorted(host.name for host in hosts))
            raise Refused(
                f"{names} would have the same power device {identity}; give each its own ipmi.host or ipmi.plug",
                code=Reason.BMC_SHARED.value,
                field="ipmi.host",
                reasons=[Reason.BMC_SHARED],
            )
