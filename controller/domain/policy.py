"""The resolved, immutable view of all settings that hold for one host at one moment: what pure code is given.

Made from rows by :mod:`controller.domain.inheritance`; defaults are those of the settings catalogue.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum


class Mode(StrEnum):
    """Whether anything may be sent. The strictest of global, cluster and host wins."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Action(StrEnum):
    """What is done to a host found dead."""

    NONE = "none"
    BLINK = "blink"
    OFF = "off"
    REBOOT = "reboot"

    @property
    def takes_down(self) -> bool:
        """True for the actions that need proof of off and a release."""
        return self in (Action.OFF, Action.REBOOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcSettings:
    """The resolved ``ipmi.*`` settings.

    ``host`` empty: no BMC configured. The password stays out of ``repr`` (rule 7).
    """

    driver: str = "ipmi"
    host: str = ""
    port: int = 623
    username: str = ""
    password: str = field(default="", repr=False)
    plug: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """Driver-specific settings (``exec``, ``action_stop`` …, ``syntax``), sorted by name."""

    @property
    def configured(self) -> bool:
        """True when there is a device to talk to."""
        return bool(self.host)

    @property
    def identity(self) -> str:
        """What makes a device one: two hosts with the same one are refused."""
        return f"{self.driver}://{self.host}:{self.port}/{self.plug}"


def same_machine(one: BmcSettings, other: BmcSettings) -> bool:
    """True when two devices may well be one: by name, or because only an outlet or a port could tell them apart.

    One address may serve several hosts through ports of one driver, or through outlets (``plug``) named for each.
    """
    if not one.configured or one.host != other.host:
        return False
    if one.driver == other.driver and one.port != other.port:
        return False
    return one.plug == other.plug or not one.plug or not other.plug


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every setting of design section 6, resolved. Durations are timedeltas."""

    mode: Mode = Mode.OBSERVE
    action: Action = Action.NONE
    bmc: BmcSettings = field(default_factory=BmcSettings)
    """The power device in use: the first one, unless :meth:`using` chose another."""
    devices: tuple[BmcSettings, ...] = ()
    """All that are configured, in the order in which they are tried. Empty: ``bmc`` alone."""
    check_interval: timedelta = timedelta(seconds=15)
    additional_checks: int = 3
    min_silence: timedelta = timedelta(seconds=60)
    require_heartbeat: bool = True
    accept_uncheckable_disks: bool = False
    heartbeat_interval: timedelta = timedelta(seconds=5)
    watch_timeout: timedelta = timedelta(seconds=20)
    grace: timedelta = timedelta(seconds=10)
    startup_quiet: timedelta = timedelta(seconds=120)
    storm_cooldown: timedelta = timedelta(minutes=10)
    vanish_window: timedelta = timedelta(seconds=15)
    witnesses_required: int = 2
    max_actions: int = 3
    action_window: timedelta = timedelta(hours=1)
    global_max_actions: int = 10
    global_action_window: timedelta = timedelta(hours=1)
    max_unhealthy_percent: int = 50
    off_reads: int = 3
    read_spacing: timedelta = timedelta(seconds=2)
    off_deadline: timedelta = timedelta(seconds=60)
    bmc_settle: timedelta = timedelta(seconds=120)
    max_concurrent: int = 1
    max_commands_per_incident: int = 3
    checking_limit: timedelta = timedelta(minutes=10)
    healthy_for: timedelta = timedelta(seconds=300)
    auto_return: bool = True

    @property
    def methods(self) -> tuple[BmcSettings, ...]:
        """The power devices in the order in which they are tried; at least one, configured or not."""
        return self.devices or (self.bmc,)

    def using(self, method: int) -> "Policy":
        """The same policy with ``bmc`` as the device of that method; the last one where the list has become shorter."""
        return replace(self, bmc=self.methods[min(method, len(self.methods) - 1)])

    @property
    def rounds_needed(self) -> int:
        """Counted dead rounds before anything may follow: the first one and the request's x additional checks."""
        return 1 + self.additional_checks
