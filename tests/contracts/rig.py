"""What the contract suite of power drivers is given for each implementation; `power_rigs.py` makes them."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from controller.domain.power import BmcTarget, PowerAction
from controller.power.base import PowerDriver

SECRET = "s3cret pass"
"""Every rig's password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What the contract needs to know about one implementation."""

    driver: PowerDriver
    target: BmcTarget
    silent: BmcTarget
    """A device that answers nothing."""
    is_on: Callable[[], bool]
    """The truth, not by way of the driver."""
    commands: Callable[[], list[PowerAction]]
    """What reached the device, by its own account."""
    now: Callable[[], float]
    """The clock `not_after` is compared with."""
    misbehave: Callable[[str], None] | None = None
    """Make the device `reject`, `ignore`, `lose_answers` or be `busy`; `None` where a device has no such switch."""
    lacks: frozenset[PowerAction] = frozenset()
    """Commands that this kind of device does not have."""


@contextmanager
def silent_port() -> Iterator[int]:
    """A UDP port that takes everything and answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        yield hole.getsockname()[1]


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
