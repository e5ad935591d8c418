"""Which power devices settings may name: a known driver, an address outside the controller, one device for one host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.addresses import refused_for_power_device
from controller.domain.reasons import Reason
from controller.services.errors import BadInput, Refused
from controller.services.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRules:
    """``drivers``: those this controller has. ``allow_local``: a lab, where devices live on this machine."""

    drivers: frozenset[str]
    allow_local: bool = False


def refuse_unusable_device(values: Mapping[str, Any], rules: DeviceRules) -> None:
    """Raise :class:`BadInput` for a driver or an address that this controller can't use."""
    driver = values.get("ipmi.driver")
    if driver is not None and driver not in rules.drivers:
        raise BadInput(
            f"ipmi.driver: there is no driver {driver!r}; this controller has {', '.join(sorted(rules.drivers))}",
            code="bad_setting",
            field="ipmi.driver",
        )
    address = values.get("ipmi.host", "")
    if not rules.allow_local and (why := refused_for_power_device(address)):
        raise BadInput(
            f"ipmi.host: {address} {why}; write the address of the host's power device",
            code=Reason.BMC_ADDRESS_REFUSED.value,
            field="ipmi.host",
        )


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
