"""Whether a CloudStack is fit to be fenced for: rights of the key, its own fencing, when its own restart would act."""

from dataclasses import dataclass
from typing import Any

from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.cloudstack.errors import CloudStackError
from controller.cloud.cloudstack.fields import text
from controller.cloud.cloudstack.rights import Capabilities, capabilities, missing
from controller.domain.cloud import CloudInventory
from controller.domain.remarks import listed

PING_INTERVAL_S, PING_TIMEOUT = 60.0, 2.5
"""CloudStack's defaults, used where the key may not read its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """``restarts_after_s``: see :class:`controller.domain.cloud.CloudInventory`."""

    capabilities: Capabilities
    warnings: tuple[str, ...]
    restarts_after_s: float | None


async def read_fitness(client: CloudStackClient, inventory: CloudInventory) -> Fitness:
    """Ask once.

    Raises:
        CloudStackError: it cannot be asked at all; what the key may not ask is a warning.
    """
    names = await read_commands(client)
    can = capabilities(names, await _version(client) if "listCapabilities" in names else "")
    warnings = [f"The API key {need.sentence()}." for need in missing(names)]
    warnings += _own_ha(inventory)
    settings = await _settings(client) if can.settings else {}
    after = _restarts_after(settings)
    if after is not None:
        warnings.append(
            f"CloudStack's own VM-HA is on: {after:.0f} s after a host's death at the soonest it may start its "
            "machines elsewhere without cutting its power. hostfence takes the host out of use (Disabled) before that. "
            "To be independent of who is quicker: vm.ha.enabled=false for the zone (4.20 and later)."
        )
    return Fitness(capabilities=can, warnings=tuple(warnings), restarts_after_s=after)


async def read_commands(client: CloudStackClient) -> frozenset[str]:
    """Names of all commands that the key may call. Raises :class:`CloudStackError`."""
    found = (await client.call("listApis", deadline_s=30.0)).get("api")
    rows: list[Any] = found if isinstance(found, list) else []
    return frozenset(text(row, "name") for row in rows if isinstance(row, dict))


async def _version(client: CloudStackClient) -> str:
    found = (await client.call("listCapabilities")).get("capability")
    return text(found, "cloudstackversion") if isinstance(found, dict) else ""


async def _settings(client: CloudStackClient) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("ping.interval", "ping.timeout", "vm.ha.enabled"):
        try:
            rows = await client.list("listConfigurations", name=name)
        except CloudStackError:  # old versions refuse a name that they do not have
            continue
        found |= {text(row, "name"): text(row, "value") for row in rows}
    return found


def _restarts_after(settings: dict[str, str]) -> float | None:
    """From death: it pinged at most one interval before, so its time-out may be over that much sooner."""
    if settings.get("vm.ha.enabled", "true").lower() == "false":
        return None
    interval = _number(settings.get("ping.interval", ""), PING_INTERVAL_S)
    return interval * _number(settings.get("ping.timeout", ""), PING_TIMEOUT) - interval


def _number(said: str, otherwise: float) -> float:
    try:
        return float(said)
    except ValueError:
        return otherwise


def _own_ha(inventory: CloudInventory) -> list[str]:
    names = [host.name for host in inventory.hosts if host.own_ha]
    if not names:
        return []
    said = (
        f"CloudStack's own Host HA is on for {listed(names)}: it drives the same BMCs, so hostfence fences none of "
        "them. Let one of the two fence; to let it be hostfence, call disableHAForHost for each."
    )
    return [said]
