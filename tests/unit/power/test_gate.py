"""Manners: one operation at a time per device, commands apart, destructive first. Time is injected."""

import asyncio

import pytest

from controller.domain.power import PowerAction
from controller.power.gate import Gate

OFF, ON, STATUS = PowerAction.OFF, PowerAction.ON, PowerAction.STATUS


class Clock:
    """A clock that only moves when somebody sleeps on it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Story:
    """Runs operations through a gate and writes down when each began and how many ran at once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = Gate(spacing_s=5.0, monotonic=self.clock.monotonic, sleep=self.clock.sleep)
        self.began: list[tuple[str, float]] = []
        self.running: dict[str, int] = {}
        self.most_at_once = 0

    async def operate(
        self, name: str, action: PowerAction, *, bmc: str = "a", hold: asyncio.Event | None = None
    ) -> None:
        async with self.gate.turn(bmc, action, deadline_s=1):
            self.began.append((name, self.clock.now))
            self.running[bmc] = self.running.get(bmc, 0) + 1
            self.most_at_once = max(self.most_at_once, self.running[bmc])
            if hold is not None:
                await hold.wait()
            self.running[bmc] -= 1

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.began]


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_operation_at_a_time_and_destructive_first() -> None:
    story, hold = Story(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(story.operate("first read", STATUS, hold=hold))
        await settle()
        for name, action in (("read", STATUS), ("on", ON), ("off", OFF), ("read 2", STATUS)):
            group.create_task(story.operate(name, action))
        await settle()
        assert story.order == ["first read"]
        hold.set()
    assert story.order == ["first read", "off", "on", "read", "read 2"]
    assert story.most_at_once == 1


async def test_commands_keep_their_distance_and_reads_do_not() -> None:
    story = Story()
    await story.operate("off", OFF)
    await story.operate("read", STATUS)
    await story.operate("on", ON)
    await story.operate("read 2", STATUS)
    assert story.began == [("off", 100.0), ("read", 100.0), ("on", 105.0), ("read 2", 105.0)]


async def test_distance_counts_from_the_end_of_the_command() -> None:
    story = Story()
    async with story.gate.turn("a", OFF, deadline_s=1):
        story.clock.now += 30
    await story.operate("on", ON)
    assert story.began == [("on", 135.0)]


async def test_devices_do_not_wait_for_each_other() -> None:
    story, hold = Story(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(story.operate("slow", OFF, bmc="a", hold=hold))
        await settle()
        await story.operate("other", OFF, bmc="b")
        assert story.order == ["slow", "other"]
        hold.set()


async def test_a_failed_command_counts_for_the_distance_and_frees_the_device() -> None:
    story = Story()
    with pytest.raises(RuntimeError, match="broken"):
        async with story.gate.turn("a", OFF, deadline_s=1):
            raise RuntimeError("broken")
    await story.operate("on", ON)
    assert story.began == [("on", 105.0)]


@pytest.mark.parametrize("moment", ["waiting", "just given the turn"])
async def test_who_gives_up_waiting_does_not_block_the_rest(moment: str) -> None:
    story, hold = Story(), asyncio.Event()
    first = asyncio.create_task(story.operate("first", STATUS, hold=hold))
    await settle()
    impatient = asyncio.create_task(story.operate("impatient", OFF))
    patient = asyncio.create_task(story.operate("patient", STATUS))
    await settle()
    if moment == "waiting":
        impatient.cancel()
        hold.set()
    else:
        hold.set()
        await asyncio.sleep(0)  # `first` runs to its end and hands the turn over
        impatient.cancel()
    await asyncio.gather(first, patient)
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert story.order == ["first", "patient"]


class Others:
    """Other controllers, that hold the device for a while."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.said: list[tuple[str, object]] = []

    async def take(self, device: str, *, for_s: float, apart_s: float | None) -> bool:
        self.said.append((f"take {device} for {for_s:g}", apart_s))
        self.refusals -= 1
        return self.refusals < 0

    async def give_back(self, device: str, *, commanded: bool) -> None:
        self.said.append((f"give back {device}", commanded))


def beside(others: Others) -> Story:
    story = Story()
    story.gate = Gate(turns=others, spacing_s=5.0, monotonic=story.clock.monotonic, sleep=story.clock.sleep)
    return story


async def test_a_device_that_another_controller_holds_is_asked_for_again() -> None:
    others = Others(refusals=3)
    story = beside(others)
    await story.operate("read", STATUS)
    [(name, began)] = story.began
    assert (name, round(began, 3)) == ("read", 100.3)
    assert others.said == [*[("take a for 3", None)] * 4, ("give back a", False)]


async def test_a_command_says_that_it_is_one() -> None:
    others = Others()
    await beside(others).operate("off", OFF)
    assert others.said == [("take a for 3", 5.0), ("give back a", True)]


async def test_a_turn_is_given_back_whatever_happens() -> None:
    others = Others()
    story = beside(others)
    with pytest.raises(RuntimeError, match="broken"):
        async with story.gate.turn("a", STATUS, deadline_s=1):
            raise RuntimeError("broken")
    assert others.said[-1] == ("give back a", False)


async def test_who_gives_up_waiting_for_another_controller_has_commanded_nothing() -> None:
    others = Others(refusals=10**9)
    story = beside(others)
    waiting = asyncio.create_task(story.operate("off", OFF))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert others.said[-1] == ("give back a", False)
    others.refusals = 0
    await story.operate("read", STATUS)
    assert story.order == ["read"]
