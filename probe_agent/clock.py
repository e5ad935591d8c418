"""The agent's only clock: CLOCK_BOOTTIME, which no step of the wall clock moves and which counts sleep (rule 12).

It is one clock for all processes of this boot, so a child's stamps and its parent's can be subtracted.
"""

import os
import time


def boottime() -> float:
    """Seconds since this machine's boot, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def irregular(interval_s: float) -> float:
    """Up to a fifth less than ``interval_s`` seconds, another time every time.

    A witness and two hosts that claim one id, all with the same even beat, would keep step: the witness would always
    look after the same one of the two, and never see that there is another.
    """
    chance = int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF  # the module `random` is half a megabyte
    return interval_s * (1.0 - 0.2 * chance)
