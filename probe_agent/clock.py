"""The agent's only clock: CLOCK_BOOTTIME, which no step of the wall clock moves and which counts sleep (rule 12).

It is one clock for all processes of this boot, so a child's stamps and its parent's can be subtracted.
"""

import time


def boottime() -> float:
    """Seconds since this machine's boot, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
