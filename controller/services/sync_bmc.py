"""Takes over what the cloud knows of a host's power device, where no person has written anything.

Says what is to be written; writes nothing. The password is not the cloud's to give.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from controller.domain.addresses import canonical_address, refused_for_power_device
from controller.domain.catalogue import CATALOGUE
from controller.domain.cloud import CloudBmc
from controller.domain.inheritance import check_combination
from controller.domain.model import Host, Level, SettingRow
from controller.domain.remarks import Remarks
from controller.domain.setting_values import SettingError, check_level, parse, to_json
from controller.services.policies import Policies

_HOST, _DRIVER, _PORT, _USERNAME, _PASSWORD = (
    f"ipmi.{name}" for name in ("host", "driver", "port", "username", "password")
)


def plan_bmc(
    host: Host, bmc: CloudBmc, rows: Sequence[SettingRow], *, allow_local: bool, remarks: Remarks
) -> list[SettingRow]:
    """The rows to write for one host. ``rows``: what is written globally, for its cluster and for it, others' or not.

    Nothing where the device's address is written already, be it as empty: that is a person's word.
    """
    mine = {row.field for row in rows if row.owner_id == host.id}
    new = [] if _HOST in mine else _import(host, bmc, rows, allow_local=allow_local, remarks=remarks)
    held = {row.field: row.value for row in (*_of(host, rows), *new)}
    if held.get(_HOST) and not held.get(_PASSWORD):
        remarks.say("The password for the BMC of {names} is not set.", host.name)
    return new


def _import(
    host: Host, bmc: CloudBmc, rows: Sequence[SettingRow], *, allow_local: bool, remarks: Remarks
) -> list[SettingRow]:
    try:
        address = canonical_address(bmc.address)
        why = "" if allow_local or not address else refused_for_power_device(address)
        new = [_row(host, name, value) for name, value in _values(bmc, address, _of(host, rows)).items()]
    except (SettingError, ValueError) as problem:
        remarks.say(f"The power device of {{names}} is not imported: {problem}.", host.name)
        return []
    if not address or why:
        remarks.say(
            f"The power device of {{names}} is not imported: {bmc.address} {why or 'is no address'}.", host.name
        )
        return []
    policy = Policies([*rows, *new], (), [host]).of_host(host)
    wrong = [str(one) for one in check_combination(policy) if one.field.startswith("ipmi.")]
    if wrong:
        remarks.say(f"The power device of {{names}} is not imported: {'; '.join(wrong)}.", host.name)
        return []
    return new


def _values(bmc: CloudBmc, address: str, held: Iterable[SettingRow]) -> dict[str, Any]:
    """Only what would not hold anyway. Where people chose another driver, user and port are not those of the cloud."""
    written = {row.field: row.value for row in held}
    values: dict[str, Any] = {_HOST: address}
    if written.get(_DRIVER, bmc.driver) != bmc.driver:
        return values
    if _DRIVER not in written and bmc.driver != CATALOGUE[_DRIVER].default:
        values[_DRIVER] = bmc.driver
    if _USERNAME not in written and bmc.username:
        values[_USERNAME] = bmc.username
    usual = 443 if bmc.driver == "redfish" else CATALOGUE[_PORT].default
    if _PORT not in written and bmc.port and int(bmc.port) != usual:
        values[_PORT] = int(bmc.port)
    return values


def _row(host: Host, name: str, value: Any) -> SettingRow:
    check_level(name, Level.HOST, value)
    return SettingRow(level=Level.HOST, owner_id=host.id, field=name, value=to_json(parse(name, value)))


def _of(host: Host, rows: Iterable[SettingRow]) -> list[SettingRow]:
    """What is written for the host, its cluster's and the global rows first: the last one of a field holds."""
    order = {"": 0, host.cluster_id: 1, host.id: 2}
    return sorted((row for row in rows if row.owner_id in order), key=lambda row: order[row.owner_id])
