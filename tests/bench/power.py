"""``--only power``: what reading power states costs, and how long it takes from *off* to its proof.

The BMCs are Debian's `ipmi_sim` and share the machine. The `ipmi` driver is laid beside `exec` with Debian's `ipmitool`
(cipher suite named), both as the controller uses them, in turns in the same run. The CPU is that of our own side:
this process (the controller's part), the nursery and its workers, the launched programs.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from controller.domain.power import BmcTarget, PowerCode, PowerReading, PowerState
from controller.power.base import PowerDriver
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.ipmi import IpmiDriver
from tests.bench.bmcs import CIPHER, by_ipmi, by_ipmitool, ipmitool, our_cpu_s, simulators
from tests.bench.off_to_proof import OffToProof, off_to_proof
from tests.bench.says import load, say
from tests.contracts.rig import silent_port
from tests.fixtures.ipmi_sim import PASSWORD, USER, IpmiSim

ROUNDS = {1: 20, 50: 6, 200: 4}
"""BMCs asked at once, and how often: each driver in turn."""

CPU_AIM = 1 / 3
WALL_AIM = 1.0
"""Of `ipmitool`'s, with as many at once as there are."""

BMC_DELAYS_S = (0.0, 3.0)
"""How long the BMC takes from its answer until it reads *off*."""

_DEADLINE_S = 15.0
_DEAD_DEADLINE_S = 6.0
"""A round's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Reading so many states at once: CPU of our side per read, and the wall from the first to the last answer."""

    cpu_ms: float
    wall_s: float
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfDead:
    """When the last of the healthy had answered, and when the last of all."""

    healthy_s: float
    all_s: float


async def run(*, quick: bool) -> bool:
    """Measure, print, and say whether the aims were met."""
    say(load())
    program = ipmitool()
    async with simulators(max(ROUNDS)) as sims:
        say(f"{len(sims)} ipmi_sim are up; {load()}")
        ipmi, by_exec = IpmiDriver(), ExecDriver(allowed=[program])
        try:
            costs = [
                await _compare(ipmi, by_exec, sims[:size], rounds=1 if quick else rounds)
                for size, rounds in ROUNDS.items()
            ]
            await _alone(program, sims)
            half_dead = await _half_dead(ipmi, sims)
        finally:
            await ipmi.aclose()
            await by_exec.aclose()
        proofs = [await off_to_proof(sims[0], bmc_delay_s=delay) for delay in BMC_DELAYS_S[: 1 if quick else None]]
    say(load())
    return _verdict(costs[-1], half_dead, proofs)


async def _compare(ipmi: IpmiDriver, by_exec: ExecDriver, sims: Sequence[IpmiSim], *, rounds: int) -> tuple[Cost, Cost]:
    first, second = [by_ipmi(sim) for sim in sims], [by_ipmitool(sim) for sim in sims]
    await _states(ipmi, first[:1])  # the nursery is up from here on
    await _states(by_exec, second[:1])
    measured: dict[str, list[tuple[float, float]]] = {"ipmi": [], "ipmitool": []}
    for _ in range(rounds):
        measured["ipmi"].append(await _round(ipmi, first, nursery=ipmi))
        measured["ipmitool"].append(await _round(by_exec, second))
    own, other = (_cost(measured[name], len(sims)) for name in ("ipmi", "ipmitool"))
    say(
        f"{len(sims):>3} at once: ipmi {own.wall_s:6.3f} s and {own.cpu_ms:5.1f} ms of CPU a read, ipmitool"
        f" {other.wall_s:6.3f} s and {other.cpu_ms:5.1f} ms: CPU {own.cpu_ms / other.cpu_ms:.2f},"
        f" wall {own.wall_s / other.wall_s:.2f}  [walls {_walls(own)} against {_walls(other)}]"
    )
    return own, other


async def _alone(program: Path, sims: Sequence[IpmiSim]) -> None:
    """What of that is `ipmitool` itself: the `exec` driver launches it through an interpreter, under an alarm."""
    places = asyncio.Semaphore(48)  # as many as the driver has

    async def read(sim: IpmiSim) -> None:
        options = f"-I lanplus -H {sim.address} -p {sim.port} -U {USER} -L OPERATOR -C {CIPHER} -N 2 -R 2 -E"
        async with places:
            process = await asyncio.create_subprocess_exec(
                program,
                *(*options.split(), "chassis", "power", "status"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,  # it misses something else in ipmi_sim, and says so each time
                env={"IPMI_PASSWORD": PASSWORD},
            )
            if await process.wait() != 0:
                raise RuntimeError("this is not what was to be measured: ipmitool failed")

    cpu, began = await our_cpu_s(), time.monotonic()
    await asyncio.gather(*map(read, sims))
    took, cpu_ms = time.monotonic() - began, 1000 * (await our_cpu_s() - cpu) / len(sims)
    say(
        f"{len(sims):>3} at once: ipmitool alone, no driver around it, {took:6.3f} s and {cpu_ms:5.1f} ms of CPU a read"
    )


async def _round(
    driver: PowerDriver, targets: Sequence[BmcTarget], *, nursery: IpmiDriver | None = None
) -> tuple[float, float]:
    """Wall and CPU seconds of one read of each, all at once."""
    cpu, began = await our_cpu_s(nursery), time.monotonic()
    await _states(driver, targets)
    took = time.monotonic() - began
    return took, await our_cpu_s(nursery) - cpu


async def _states(driver: PowerDriver, targets: Sequence[BmcTarget]) -> None:
    readings = await asyncio.gather(*(driver.status(target, deadline_s=_DEADLINE_S) for target in targets))
    wrong = [reading for reading in readings if reading.state is not PowerState.ON]
    if wrong:
        raise RuntimeError(f"this is not what was to be measured: {len(wrong)} of {len(targets)}, like {wrong[0]}")


def _cost(measured: Sequence[tuple[float, float]], reads: int) -> Cost:
    walls, cpus = zip(*measured, strict=True)
    return Cost(cpu_ms=1000 * sum(cpus) / len(cpus) / reads, wall_s=median(walls), rounds=tuple(sorted(walls)))


def _walls(cost: Cost) -> str:
    return f"{cost.rounds[0]:.3f} to {cost.rounds[-1]:.3f}"


async def _half_dead(driver: IpmiDriver, sims: Sequence[IpmiSim]) -> HalfDead:
    """Half of them swallow everything; asked in turns, dead and healthy."""
    healthy = [by_ipmi(sim) for sim in sims[: len(sims) // 2]]
    began, answered = time.monotonic(), 0.0

    async def read(target: BmcTarget) -> PowerReading:
        return await driver.status(target, deadline_s=_DEAD_DEADLINE_S)

    async def read_healthy(target: BmcTarget) -> PowerReading:
        nonlocal answered
        reading = await read(target)
        answered = time.monotonic() - began
        return reading

    with ExitStack() as stack:
        dead = [
            BmcTarget(
                driver="ipmi",
                address="127.0.0.1",
                port=stack.enter_context(silent_port()),
                username=one.username,
                password=one.password,
            )
            for one in healthy
        ]
        asked = [call for pair in zip(map(read, dead), map(read_healthy, healthy), strict=True) for call in pair]
        readings = await asyncio.gather(*asked)
    if {r.state for r in readings[1::2]} != {PowerState.ON} or {r.code for r in readings[::2]} != {PowerCode.NO_ANSWER}:
        raise RuntimeError("this is not what was to be measured: a healthy one did not answer, or a dead one did")
    half_dead = HalfDead(healthy_s=answered, all_s=time.monotonic() - began)
    say(
        f"{len(sims)} at once, {len(dead)} of them dead: the healthy have answered after {half_dead.healthy_s:.2f} s,"
        f" all is over after {half_dead.all_s:.2f} s (deadline {_DEAD_DEADLINE_S:.0f} s)"
    )
    return half_dead


def _verdict(most: tuple[Cost, Cost], half_dead: HalfDead, proofs: Sequence[OffToProof]) -> bool:
    own, other = most
    cpu, wall = own.cpu_ms / other.cpu_ms, own.wall_s / other.wall_s
    told = "; ".join(
        f"off to proof, BMC's delay {proof.bmc_delay_s:.0f} s: {proof.took_s:.2f} s (aim <= {proof.aim_s:.0f} s)"
        for proof in proofs
    )
    say(
        f"power: {max(ROUNDS)} states at once, ipmi / ipmitool: CPU {cpu:.2f} (aim <= {CPU_AIM:.2f}), wall {wall:.2f}"
        f" (aim <= {WALL_AIM:.0f}); half of them dead: healthy after {half_dead.healthy_s:.2f} s, all after"
        f" {half_dead.all_s:.2f} s (aim < {_DEAD_DEADLINE_S + 1:.0f} s); {told}"
    )
    return (
        cpu <= CPU_AIM
        and wall <= WALL_AIM
        and half_dead.all_s < _DEAD_DEADLINE_S + 1
        and all(proof.took_s <= proof.aim_s for proof in proofs)
    )
