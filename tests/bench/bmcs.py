"""Two hundred BMCs that are not ours, and what our side of talking to them costs: simulators never count."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.domain.power import BmcTarget
from controller.power.drivers.ipmi import IpmiDriver
from tests.fixtures.counterparts import debian_program
from tests.fixtures.ipmi_sim import PASSWORD, USER, IpmiSim, ipmi_sim

CIPHER = "3"
"""The best that Debian's `ipmi_sim` has; named, because `ipmitool` asks ten seconds long where nobody answers that."""

_AT_ONCE = 8
_TICKS = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def simulators(number: int) -> AsyncIterator[list[IpmiSim]]:
    """That many running `ipmi_sim`, each on an address of its own; all of them *on*."""
    starting = asyncio.Semaphore(_AT_ONCE)

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-bmcs-")))

        async def start(index: int) -> IpmiSim:
            async with starting:
                own = folder / str(index)
                own.mkdir()
                return await stack.enter_async_context(ipmi_sim(own, address=f"127.0.1.{index}"))

        yield list(await asyncio.gather(*(start(index) for index in range(1, number + 1))))


def by_ipmi(sim: IpmiSim) -> BmcTarget:
    return BmcTarget(driver="ipmi", address=sim.address, port=sim.port, username=USER, password=PASSWORD)


def by_ipmitool(sim: IpmiSim) -> BmcTarget:
    options = (("preset", "ipmitool"), ("cipher", CIPHER))
    return BmcTarget(
        driver="exec", address=sim.address, port=sim.port, username=USER, password=PASSWORD, options=options
    )


def ipmitool() -> Path:
    """The program; raises where it is not installed: without it there is nothing to compare with."""
    found = debian_program("ipmitool")
    if found is None or debian_program("ipmi_sim") is None:
        raise SystemExit("install Debian's ipmitool and openipmi: scripts/debian-counterparts does it as root")
    return found


async def our_cpu_s(driver: IpmiDriver | None = None) -> float:
    """CPU seconds of this process, of its children that have ended and, with a driver, of its workers so far."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = time.process_time() + ended.ru_utime + ended.ru_stime
    if driver is None or driver._nursery is None:
        return used
    pid = driver._nursery.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while children.read_text():  # counted once they are buried
        await asyncio.sleep(0.001)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return used + sum(int(field) for field in fields[11:15]) / _TICKS
