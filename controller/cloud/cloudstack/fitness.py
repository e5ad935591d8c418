"""Whether a CloudStack is fit to be fenced for: rights of the key, its own fencing, when its own restart would act.

Read anew every ten minutes: roles and settings change rarely, and the list of all commands is some megabytes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.fields import text
from controller.cloud.cloudstack.rights import Capabilities, Need, capabilities, missing
from controller.domain.cloud import CloudCluster, CloudInventory
from controller.domain.remarks import listed

log = structlog.get_logger(__name__)

PING_INTERVAL_S, PING_TIMEOUT = 60.0, 2.5
"""CloudStack's defaults, used where the key may not read its configuration."""

ANEW_AFTER_S = 600.0

_VM_HA = "vm.ha.enabled"
_NAME = frozenset({"name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rights:
    """``at``: when they were read."""

    at: float
    can: Capabilities
    lacking: tuple[Need, ...]


class Fitness:
    """What is known of it. Raises :class:`CloudStackError` where it cannot be asked."""

    def __init__(self, client: CloudStackClient, *, boottime: Callable[[], float]) -> None:
        self._client = client
        self._boottime = boottime
        self._rights: _Rights | None = None
        self._doubted = False
        self._zones: tuple[float, Mapping[str, float | None]] | None = None
        """When they were read, and the soonest restart in each."""

    async def capabilities(self) -> Capabilities:
        """As known; read where nothing is known yet."""
        return (self._rights or await self._read_rights()).can

    async def check(self) -> None:
        """Read what is older than ten minutes anew."""
        if self._rights is None or self._doubted or self._boottime() - self._rights.at > ANEW_AFTER_S:
            await self._read_rights()
            self._doubted = False

    def doubt(self) -> None:
        """Something could not be read: somebody may be changing the role, so that it is looked at anew next time."""
        self._doubted = True

    def lacking(self) -> tuple[str, ...]:
        """What the key may not call and hostfence cannot do without, in sentences."""
        needs = self._rights.lacking if self._rights is not None else ()
        return tuple(f"The API key {need.sentence()}." for need in needs if not need.optional)

    async def of(self, inventory: CloudInventory) -> CloudInventory:
        """The inventory, with what stands in the way of fencing, and how soon the cloud restarts machines by itself."""
        await self.check()
        needs = self._rights.lacking if self._rights is not None else ()
        rights = [f"The API key {need.sentence()}." for need in needs]
        after = await self._restarts_after_s(inventory.clusters)
        return replace(inventory, warnings=(*rights, *_own_ha(inventory), *_race(after)), restarts_after_s=after)

    async def _restarts_after_s(self, clusters: Iterable[CloudCluster]) -> Mapping[str, float | None]:
        ids = {one.zone: one.zone_id for one in clusters}
        now = self._boottime()
        if self._zones is None or now - self._zones[0] > ANEW_AFTER_S or self._zones[1].keys() != ids.keys():
            readable = (await self.capabilities()).settings
            try:
                self._zones = (now, await _by_zone(self._client, ids) if readable else dict.fromkeys(ids, _soonest({})))
            except CloudStackError as error:
                log.warning("the cloud's settings cannot be read", error=str(error))
                return dict.fromkeys(ids, _soonest({}))
        return self._zones[1]

    async def _read_rights(self) -> _Rights:
        names = await _read_commands(self._client)
        can = capabilities(names, await _version(self._client) if "listCapabilities" in names else "")
        if self._rights is None or self._rights.can != can:
            log.info("cloudstack", can=can)
        self._rights = _Rights(at=self._boottime(), can=can, lacking=missing(names))
        return self._rights


async def restarts_by_itself(client: CloudStackClient, zone_id: str) -> bool:
    """False where CloudStack's VM-HA is off for the zone; True where it is on, or does not say.

    Raises:
        CloudStackError: it could not be asked; that the key may not ask is no error.
    """
    try:
        return (await _said_of(client, _VM_HA, zone_id=zone_id)).lower() != "false"
    except CloudStackError as error:
        if error.kind is ErrorKind.REJECTED:
            return True
        raise


async def _read_commands(client: CloudStackClient) -> frozenset[str]:
    """Names of all commands that the key may call."""
    found = (await client.call("listApis", _NAME, deadline_s=30.0)).get("api")
    rows: list[Any] = found if isinstance(found, list) else []
    return frozenset(text(row, "name") for row in rows if isinstance(row, dict))


async def _version(client: CloudStackClient) -> str:
    found = (await client.call("listCapabilities")).get("capability")
    return text(found, "cloudstackversion") if isinstance(found, dict) else ""


async def _by_zone(client: CloudStackClient, ids: Mapping[str, str]) -> Mapping[str, float | None]:
    """``ids``: of the zones, by name."""
    everywhere = {name: await _said_of(client, name) for name in ("ping.interval", "ping.timeout", _VM_HA)}
    found: dict[str, float | None] = {}
    for zone, zone_id in ids.items():
        here = await _said_of(client, _VM_HA, zone_id=zone_id) if zone_id else ""
        found[zone] = None if (here or everywhere[_VM_HA]).lower() == "false" else _soonest(everywhere)
    return found


async def _said_of(client: CloudStackClient, name: str, *, zone_id: str = "") -> str:
    """The value of a setting; empty where CloudStack has none of that name (old versions refuse the question)."""
    where: dict[str, Any] = {"zoneid": zone_id} if zone_id else {}
    try:
        rows = await client.list("listConfigurations", name=name, **where)
    except CloudStackError as error:
        if error.kind is ErrorKind.REJECTED:
            return ""
        raise
    return next((text(row, "value") for row in rows if text(row, "name") == name), "")


def _soonest(settings: Mapping[str, str]) -> float:
    """From death: it pinged at most one interval before, so its time-out may be over that much sooner."""
    interval = _number(settings.get("ping.interval", ""), PING_INTERVAL_S)
    return interval * _number(settings.get("ping.timeout", ""), PING_TIMEOUT) - interval


def _number(said: str, otherwise: float) -> float:
    try:
        return float(said)
    except ValueError:
        return otherwise


def _race(after: Mapping[str, float | None]) -> list[str]:
    races = {zone: seconds for zone, seconds in after.items() if seconds is not None}
    if not races:
        return []
    where = f" in {listed(sorted(races))}" if len(after) > 1 else ""
    said = (
        f"CloudStack's own VM-HA is on{where}: {min(races.values()):.0f} s after a host's death at the soonest it may "
        "start its machines elsewhere without cutting its power. hostfence takes the host out of use (Disabled) before "
        f"that. To be independent of who is quicker: {_VM_HA}=false for the zone (4.20 and later); to have more time "
        "for it: a longer ping.timeout."
    )
    return [said]


def _own_ha(inventory: CloudInventory) -> list[str]:
    names = [host.name for host in inventory.hosts if host.own_ha]
    if not names:
        return []
    said = (
        f"CloudStack's own Host HA is on for {listed(names)}: it drives the same BMCs, so hostfence fences none of "
        "them. Let one of the two fence; to let it be hostfence, call disableHAForHost for each."
    )
    return [said]
