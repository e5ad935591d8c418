"""The ports that everything which happens is made of.

Bootstrap fills it with real ones, the simulation with its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.cloud.base import Cloud
from controller.db.keepsake import Keepsake, ProcessMemory
from controller.db.store import Clock, Store
from controller.domain.policy import BmcSettings
from controller.metrics.base import Meter, NoMeter
from controller.power.devices import PowerDevices
from controller.probing.base import Probing
from controller.services.pulse import Pulse
from controller.services.sights import Sights


@dataclass(slots=True)
class Isolation:
    """Whether this controller process is cut off: true until a witness has answered it, and again when nobody does.

    ``deaf_to``: clusters none of whose agents answered it at its last poll. Another controller may hear them.
    """

    isolated: bool = True
    deaf_to: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Ports and the few facts of the process they serve."""

    store: Store
    clock: Clock
    probing: Probing
    cloud: Cloud
    power: PowerDevices
    new_id: Callable[[], str]
    controller_id: str
    version: str = ""
    isolation: Isolation = field(default_factory=Isolation)
    sights: Sights = field(default_factory=Sights)
    pulse: Pulse = field(default_factory=Pulse)
    meter: Meter = field(default_factory=NoMeter)
    keepsake: Keepsake = field(default_factory=ProcessMemory)
    driver_proves: Callable[[BmcSettings], bool] = lambda _device: True
    """False for devices whose driver cannot read their power state, or that this controller has no driver for."""
    bmc_address_refused: Callable[[str], bool] = lambda _address: False
    """True for BMC addresses that may not be used (loopback, link-local without the lab flag)."""
