"""Words about power: actions, states, what a device answered, and which device it is.

Carries rule 6: an :class:`Outcome` says whether a command was taken, never that a host is off.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class PowerState(StrEnum):
    """What a power device says. ``unknown`` covers every answer that is not clearly on or off."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class PowerAction(StrEnum):
    """What can be asked of a power device. ``reboot`` is never sent automatically: hostfence does off, proof, on."""

    OFF = "off"
    ON = "on"
    REBOOT = "reboot"
    BLINK = "blink"
    BLINK_OFF = "blink_off"
    TEST = "test"
    STATUS = "status"

    @property
    def destructive(self) -> bool:
        """True for what takes running machines down."""
        return self in (PowerAction.OFF, PowerAction.REBOOT)


class PowerCode(StrEnum):
    """Why a device told nothing or refused. ``none`` when it answered as hoped."""

    NONE = "none"
    BAD_CREDENTIALS = "bad_credentials"
    NO_ANSWER = "no_answer"
    NOT_LISTENING = "not_listening"
    """A machine is there, and says that nothing listens on that port."""
    BUSY = "busy"
    SESSIONS_EXHAUSTED = "sessions_exhausted"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    TIMED_OUT = "timed_out"
    STALLED = "stalled"
    MALFORMED = "malformed"
    DRIVER_FAILED = "driver_failed"
    NOT_CONFIGURED = "not_configured"


class Accepted(StrEnum):
    """Whether the device took the command. ``not_sent`` is only said when nothing can have reached it."""

    YES = "yes"
    NO = "no"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command's answer. Proves nothing about the power state (rule 6)."""

    accepted: Accepted
    code: PowerCode = PowerCode.NONE
    said: str = ""
    """What the device really said, without secrets, at most a few hundred characters."""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReading:
    """One status read. ``code`` says why when the state is unknown."""

    state: PowerState
    code: PowerCode = PowerCode.NONE
    said: str = ""
    took_s: float = 0.0

    @property
    def reachable(self) -> bool:
        """True when the device gave a clear on or off."""
        return self.state is not PowerState.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcTarget:
    """How to reach one power device. The password never shows in ``repr`` (rule 7)."""

    driver: str
    address: str
    port: int
    username: str
    password: str = field(repr=False)
    plug: str = ""
    nodename: str = ""
    """The host's own name, for commands that want it. No part of the identity: a name can be changed."""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> str:
        """Driver, address, port and plug: two hosts with one identity are one machine, and that is refused."""
        return f"{self.driver}://{self.address}:{self.port}/{self.plug}"
