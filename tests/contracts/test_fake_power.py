"""What the fake power world adds to the contract: wrong wires, lies, delays and gaps, all on an injected clock."""

import asyncio

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from tests.fakes.power import FakeBmc, FakeMachine, FakePower


class World:
    """Two machines, a clock that moves when slept on, and a device behind one target."""

    def __init__(self) -> None:
        self.now = 0.0
        self.power = FakePower(clock=lambda: self.now, sleep=self.sleep)
        self.a, self.b = FakeMachine("a"), FakeMachine("b")
        self.target = BmcTarget(driver="fake", address="10.0.0.1", port=623, username="u", password="p")
        self.bmc = self.power.put(self.target, FakeBmc(machine=self.a))

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def off(self, *, not_after: float = 1e9) -> Accepted:
        outcome = await self.power.act(self.target, PowerAction.OFF, deadline_s=5, not_after=not_after)
        return outcome.accepted

    async def read(self) -> PowerState:
        return (await self.power.status(self.target, deadline_s=5)).state


async def test_a_late_off() -> None:
    world = World()
    world.bmc.off_delay_s = 10
    assert await world.off() is Accepted.YES
    assert await world.read() is PowerState.ON
    world.now = 10
    assert await world.read() is PowerState.OFF
    assert not world.a.is_on(10)


async def test_a_lie_reads_off_while_the_machine_runs() -> None:
    world = World()
    world.bmc.lies_off = True
    assert await world.off() is Accepted.YES
    assert await world.read() is PowerState.OFF
    assert world.a.is_on(world.now)


async def test_a_wrong_wire_takes_down_another_machine() -> None:
    world = World()
    world.bmc.machine = world.b
    await world.off()
    assert (world.a.is_on(world.now), world.b.is_on(world.now)) == (True, False)
    assert [entry.machine for entry in world.power.commands()] == ["b"]
    assert world.power.commands("a") == []


async def test_unreachable_for_a_while_costs_the_deadline() -> None:
    world = World()
    world.bmc.unplug(at=0, until=8)
    reading = await world.power.status(world.target, deadline_s=5)
    assert (reading.state, reading.code, reading.took_s) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER, 5)
    world.now = 8
    assert await world.read() is PowerState.ON


async def test_not_after_may_pass_while_the_device_takes_its_time() -> None:
    world = World()
    world.bmc.takes_s = 3
    assert await world.off(not_after=2) is Accepted.NOT_SENT
    assert world.power.commands() == []


async def test_a_caller_killed_before_the_answer_has_sent_the_command() -> None:
    world = World()
    never = asyncio.Event()

    async def stuck(_seconds: float) -> None:
        await never.wait()

    world.bmc.answers_after_s = 1
    power = FakePower(clock=lambda: world.now, sleep=stuck)
    power.put(world.target, world.bmc)
    call = asyncio.create_task(power.act(world.target, PowerAction.OFF, deadline_s=5, not_after=9))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert [entry.action for entry in power.commands("a")] == [PowerAction.OFF]
    assert not world.a.is_on(world.now)


async def test_two_operations_on_one_device_at_once_are_counted() -> None:
    world = World()
    world.bmc.takes_s = 1
    await asyncio.gather(world.read(), world.read())
    assert world.power.overlaps == 1
