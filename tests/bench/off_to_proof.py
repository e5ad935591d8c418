"""From the *off* leaving the engine to the proof: its own FENCING and VERIFYING, a real BMC, real time.

A house in memory is taken to FENCING in virtual time; from there its clock goes with the real one, its power is the
`ipmi` driver behind the gate on an `ipmi_sim`, and the dead host takes the whole deadline whenever it is asked for
itself, as on a network. What PostgreSQL adds is left out: some ten milliseconds for each of four steps.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from controller.domain.evidence import Report
from controller.domain.incident import State
from controller.domain.model import Host, Level
from controller.domain.power import BmcTarget, Outcome, PowerAction, PowerReading, PowerState
from controller.domain.watch import Seen
from controller.engine.worker import Worker
from controller.power.devices import GatedDevices
from controller.power.drivers.ipmi import IpmiDriver
from controller.power.gate import Gate
from controller.power.registry import PowerRegistry
from controller.probing.base import Question
from tests.bench.says import say
from tests.fakes.clock import FakeClock
from tests.fakes.probing import FakeProbing
from tests.fixtures.house import House, a_house
from tests.fixtures.ipmi_sim import PASSWORD, USER, IpmiSim

ENGINE_S = 1.0
"""What logins, steps and beats may add in all to the BMC's own delay and the distance of the reads."""

_BEAT_S = 0.25  # the supervisor's
_LIMIT_S = 60.0
# Answers at once and switches later, as real ones do. Called as: chassis.sh 0x20 get power | set power 0
_CHASSIS = """\
#!/bin/sh
cd "{folder}" || exit 1
case "$2 $3" in
  "get power") echo "power:$(cat power)" ;;
  "set power") (sleep {delay}; echo "$4" > power) >/dev/null 2>&1 & ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffToProof:
    """How long it took from the command's start to the proof in the store, and the most it may take."""

    bmc_delay_s: float
    took_s: float
    aim_s: float


class _LiveClock:
    """The house's time, which goes with the real one from now on."""

    def __init__(self, house: FakeClock) -> None:
        self._house = house
        self._last = _boottime()

    async def now(self) -> datetime:
        self._catch_up()
        return await self._house.now()

    def boottime(self) -> float:
        self._catch_up()
        return self._house.boottime()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _catch_up(self) -> None:
        now = _boottime()
        self._house.advance(timedelta(seconds=now - self._last))
        self._last = now


@dataclass(slots=True)
class _Power:
    """The real devices, with the house's clock told in the machine's; notes when what began and ended."""

    devices: GatedDevices
    clock: _LiveClock
    command: tuple[float, float] = (0.0, 0.0)
    reads: list[tuple[float, float, PowerState]] = field(default_factory=list)

    async def status(self, target: BmcTarget, *, deadline_s: float, **rest: bool) -> PowerReading:
        began = _boottime()
        reading = await self.devices.status(target, deadline_s=deadline_s, **rest)
        self.reads.append((began, _boottime(), reading.state))
        return reading

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        return await self.status(target, deadline_s=deadline_s)

    async def act(
        self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float, **rest: bool
    ) -> Outcome:
        began = _boottime()
        not_after += began - self.clock.boottime()
        outcome = await self.devices.act(target, action, deadline_s=deadline_s, not_after=not_after, **rest)
        self.command = (began, _boottime())
        return outcome


@dataclass(slots=True)
class _Network:
    """The house's agents; the dead one takes its whole deadline."""

    agents: FakeProbing

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        return await self.agents.ask(witness, question, deadline_s=deadline_s)

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        seen = await self.agents.watch(host, deadline_s=deadline_s)
        if not seen.answered:
            await asyncio.sleep(deadline_s)
        return seen


async def off_to_proof(sim: IpmiSim, *, bmc_delay_s: float) -> OffToProof:
    """Fence one host. The BMC reads *off* so long after it took the command."""
    (sim.folder / "chassis.sh").write_text(_CHASSIS.format(folder=sim.folder, delay=bmc_delay_s))
    (sim.folder / "power").write_text("1\n")
    house = await a_house()
    await house.dead()
    await house.until(State.FENCING)
    driver = IpmiDriver()
    try:
        power, proven_at = await _fence(house, driver, sim)
    finally:
        await driver.aclose()
    policy = await house.policy()
    aim_s = bmc_delay_s + (policy.off_reads - 1) * policy.read_spacing.total_seconds() + ENGINE_S
    made = OffToProof(bmc_delay_s=bmc_delay_s, took_s=proven_at - power.command[0], aim_s=aim_s)
    _tell(made, power)
    return made


async def _fence(house: House, driver: IpmiDriver, sim: IpmiSim) -> tuple[_Power, float]:
    settings = {"ipmi__host": sim.address, "ipmi__port": sim.port, "ipmi__username": USER, "ipmi__password": PASSWORD}
    await house.settings(Level.HOST, "h1", **settings)
    target = BmcTarget(driver="ipmi", address=sim.address, port=sim.port, username="", password="")
    await house.change_health("h1", bmc_identity=target.identity)  # it was seen *on* there, not in the fake's place
    clock = _LiveClock(house.clock)
    power = _Power(GatedDevices(PowerRegistry({"ipmi": driver}), Gate()), clock)
    world = replace(house.world, clock=clock, power=power, probing=_Network(house.probing))
    worker, began = Worker(world), _boottime()
    while (state := (await house.incident()).state) in (State.FENCING, State.VERIFYING):
        if _boottime() - began > _LIMIT_S:
            break
        await worker.run_due()
        await asyncio.sleep(_BEAT_S if state is State.VERIFYING else 0)
    proven_at = _boottime()
    worker.close()
    await worker.drain()
    if state is not State.RELEASING:
        raise RuntimeError(f"this is not what was to be measured: {await house.path()}, {await house.incident()}")
    return power, proven_at


def _tell(made: OffToProof, power: _Power) -> None:
    sent, answered = power.command
    reads = ", ".join(
        f"{state} {began - sent:.2f} to {ended - sent:.2f}" for began, ended, state in power.reads if began >= sent
    )
    say(
        f"off to proof, BMC's delay {made.bmc_delay_s:.0f} s: {made.took_s:.2f} s  [command {answered - sent:.2f};"
        f" reads, in seconds after it began: {reads}]"
    )


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
