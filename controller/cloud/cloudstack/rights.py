"""Which commands hostfence calls and what for; what a key may not call, in words; what a CloudStack can do.

A command that is not in the answer of ``listApis`` is either unknown to that version or not in the key's role:
CloudStack says the same of both.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What a command is needed for."""

    START = "starting"
    INVENTORY = "inventory"
    DETECTION = "detection"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    RETURN = "return"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One command for one purpose. ``why`` completes "needed for inventory: …", or "without it …" if ``optional``."""

    command: str
    purpose: Purpose
    why: str
    optional: bool = False

    def sentence(self) -> str:
        """For people, when the key may not call it."""
        if self.optional:
            return f"may not call {self.command} ({self.purpose}, optional): without it {self.why}"
        return f"may not call {self.command}: needed for {self.purpose}, {self.why}"


def _need(command: str, purpose: Purpose, why: str) -> Need:
    return Need(command=command, purpose=purpose, why=why)


def _wish(command: str, purpose: Purpose, why: str) -> Need:
    return Need(command=command, purpose=purpose, why=why, optional=True)


NEEDED: tuple[Need, ...] = (
    _need("listApis", Purpose.START, "to know what the key may call"),
    _need("listClusters", Purpose.INVENTORY, "to read the clusters"),
    _need("listHosts", Purpose.INVENTORY, "to read the hosts"),
    _need("listStoragePools", Purpose.INVENTORY, "to know where disks are"),
    _need("listVirtualMachines", Purpose.INVENTORY, "to know which machines run on a host"),
    _need("listRouters", Purpose.INVENTORY, "to know which routers run on a host"),
    _need("listSystemVms", Purpose.INVENTORY, "to know which system VMs run on a host"),
    _need("listVolumes", Purpose.INVENTORY, "to know the machines' disks"),
    _need("listHosts", Purpose.DETECTION, "to see that a host is no longer Up"),
    _need("updateHost", Purpose.QUARANTINE, "to keep CloudStack's own restart from racing a fence"),
    _need("queryAsyncJobResult", Purpose.RELEASE, "to see whether a command was carried out"),
    _need("stopVirtualMachine", Purpose.RELEASE, "to let a dead host's machines go"),
    _need("startVirtualMachine", Purpose.RELEASE, "to start them elsewhere"),
    _need("stopRouter", Purpose.RELEASE, "to let a dead host's routers go"),
    _need("startRouter", Purpose.RELEASE, "to start them elsewhere"),
    _need("stopSystemVm", Purpose.RELEASE, "to let a dead host's system VMs go"),
    _need("startSystemVm", Purpose.RELEASE, "to start them elsewhere"),
    _need("updateHost", Purpose.RETURN, "to take the host into use again"),
    _wish("listCapabilities", Purpose.START, "CloudStack's version is not shown"),
    _wish("listAlerts", Purpose.DETECTION, "the time of a disconnect is only known to one poll"),
    _wish("listManagementServers", Purpose.DETECTION, "its restart is told only by all hosts leaving at once"),
    _wish("listConfigurations", Purpose.DETECTION, "the margin before CloudStack's own restart is taken from defaults"),
    _wish("declareHostAsDegraded", Purpose.RELEASE, "every machine is stopped and started one by one"),
    _wish("cancelHostAsDegraded", Purpose.RETURN, "hosts are never declared degraded: it could not be undone"),
    _wish("generateAlert", Purpose.ALERTS, "nothing is written into CloudStack's own list of alerts"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What hostfence can do with one key at one CloudStack. ``version``: CloudStack's own, for people only."""

    version: str
    degraded: bool
    """Hosts can be declared degraded, and that undone."""
    management_servers: bool
    """The management servers can be listed."""
    alerts: bool
    """CloudStack's alerts can be read."""
    own_alerts: bool
    """Alerts can be added to CloudStack's list."""
    settings: bool
    """CloudStack's configuration can be read."""


def missing(available: AbstractSet[str]) -> tuple[Need, ...]:
    """What is not among the names of ``listApis``; what is needed first, then what is optional.

    :meth:`Need.sentence` says each in words. Without one that is not optional hostfence cannot do its work.
    """
    lacking = [need for need in NEEDED if need.command not in available]
    return tuple(sorted(lacking, key=lambda need: need.optional))


def capabilities(available: AbstractSet[str], version: str = "") -> Capabilities:
    """By what may be called, never by version: roles and back-ports make that a guess."""
    return Capabilities(
        version=version,
        degraded={"declareHostAsDegraded", "cancelHostAsDegraded"} <= available,
        management_servers="listManagementServers" in available,
        alerts="listAlerts" in available,
        own_alerts="generateAlert" in available,
        settings="listConfigurations" in available,
    )
