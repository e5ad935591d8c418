"""What every cloud adapter promises (:mod:`controller.cloud.base`), on each of them and on the fake.

A rig brings one adapter in a world where all is well, and can make that world fail.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.cloud.base import Cloud, CloudUnreadableError, EffectResult
from controller.cloud.standalone import Hooks, Standalone
from controller.domain.evidence import CloudSays, DiskList, Machine
from controller.domain.model import Host, Pool, Vm
from tests.fakes.cloud import FAILED, FakeCloud
from tests.fixtures import builders as a
from tests.fixtures.a_cloud import a_cloud

HOST = a.host()
MACHINE = Machine(id="v1", name="vm v1")
EFFECTS = ("quarantine", "unquarantine", "release")


@dataclass(slots=True)
class Rig:
    """``break_down`` makes everything the adapter talks to fail; ``mend`` ends that.

    ``touched``: something was changed, in the cloud or by a hook. The fake has nothing that could be.
    """

    cloud: Cloud
    break_down: Callable[[], None]
    mend: Callable[[], None]
    host: Host = HOST
    machine: Machine = MACHINE
    wait: Callable[[], None] = lambda: None
    touched: Callable[[], bool] = lambda: False

    async def do(self, effect: str) -> EffectResult:
        match effect:
            case "quarantine":
                first = await self.cloud.quarantine(self.host, "")
                return await self.cloud.quarantine(self.host, first.earlier) if first.pending else first
            case "unquarantine":
                return await self.cloud.unquarantine(self.host, "Enabled")
            case _:
                return await self.release()

    async def release(self) -> EffectResult:
        """Called until it is no longer under way, or for half a minute."""
        result = EffectResult(done=False, pending=True)
        for _ in range(15):
            if not result.pending:
                break
            result = await self.cloud.release(self.host, (self.machine,), result.progress)
            self.wait()
        return result


def fake() -> Rig:
    cloud = FakeCloud()

    def break_down() -> None:
        cloud.placed[HOST.id] = DiskList(known=False)
        for effect in EFFECTS:
            cloud.answer(effect, FAILED, FAILED)

    def mend() -> None:
        cloud.placed.clear()
        cloud.results.clear()

    return Rig(cloud, break_down, mend)


def standalone(folder: Path) -> Rig:
    broken, touched = folder / "broken", folder / "touched"
    command = ("/bin/sh", "-c", f'touch "{touched}"; test ! -e "{broken}"')

    async def inventory(host: Host) -> tuple[list[Vm], list[Pool]] | None:
        return None if broken.exists() else ([a.vm(host_id=host.id, disks=(a.disk(),))], [a.pool()])

    cloud = Standalone(inventory, Hooks(commands=dict.fromkeys(EFFECTS, command)))
    return Rig(cloud, broken.touch, broken.unlink, touched=touched.exists)


def cloudstack(profile: str) -> Rig:
    """Its host is dead and noticed, as hosts are when effects are asked for."""
    cloud = a_cloud(profile)
    pool = cloud.site.add_pool("p1", cloud.site.host("kvm1").cluster, id="p1")
    cloud.site.pools = {"p1": pool}
    cloud.add("vm v1")
    host = cloud.host()
    cloud.site.enable("kvm1", "Disabled")
    cloud.site.kill_host("kvm1")
    cloud.pass_time(300)
    return Rig(
        cloud.adapter,
        lambda: cloud.double.trouble.error(503, "no", times=None),
        cloud.double.trouble.clear,
        host,
        cloud.machines()[0],
        lambda: cloud.pass_time(2, every=1.0),
        lambda: not all(asked.command.startswith(("list", "query")) for asked in cloud.double.requests),
    )


RIGS: dict[str, Callable[[Path], Rig]] = {
    "fake": lambda _: fake(),
    "standalone": standalone,
    "cloudstack": lambda _: cloudstack("current"),
    "cloudstack of old": lambda _: cloudstack("old"),
}


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    made = RIGS[request.param](tmp_path)
    yield made
    await made.cloud.aclose()


async def test_disks_come_with_their_pools(rig: Rig) -> None:
    disks = await rig.cloud.disks(rig.host)
    assert disks.known
    assert len(disks.vms) == 1
    assert disks.roots_in_question == disks.pool_roots == ("/mnt/p1",)
    assert [t.path.startswith("/mnt/p1/") for t in disks.targets] == [True]


async def test_disks_that_cannot_be_read_are_unknown_and_no_empty_list(rig: Rig) -> None:
    rig.break_down()
    assert not (await rig.cloud.disks(rig.host)).known


async def test_an_opinion_is_a_value_whatever_happens(rig: Rig) -> None:
    rig.break_down()
    assert await rig.cloud.says(rig.host) in CloudSays


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_effect_can_be_had_twice(rig: Rig, effect: str) -> None:
    """Whoever crashed after doing it and before storing that does it again."""
    assert (await rig.do(effect)).done
    assert (await rig.do(effect)).done


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_effect_that_fails_says_so_and_may_be_tried_again(rig: Rig, effect: str) -> None:
    rig.break_down()
    failed = await rig.do(effect)
    assert not failed.done
    assert failed.said
    rig.mend()
    assert (await rig.do(effect)).done


async def test_a_machine_is_named_before_it_may_start_elsewhere(rig: Rig) -> None:
    """Its first write there must not be taken for life of the old host by who crashed in between."""
    first = await rig.cloud.release(rig.host, (rig.machine,), {})
    assert first.done is not first.pending
    assert not rig.touched(), "something was done before it was said of whom"
    if first.pending:
        assert rig.machine.id in first.begun
        assert first.progress, "or the next call would be a first one again"


async def test_what_a_quarantine_replaces_is_told_with_its_end_or_before_it_begins(rig: Rig) -> None:
    first = await rig.cloud.quarantine(rig.host, "")
    assert first.done is not first.pending
    if first.pending:
        assert first.earlier
        assert not rig.touched()
        assert (await rig.cloud.quarantine(rig.host, first.earlier)).earlier == first.earlier


async def test_a_release_of_nothing_is_done(rig: Rig) -> None:
    """The host had no machine, or somebody has moved them all."""
    result = EffectResult(done=False, pending=True)
    for _ in range(15):
        if result.pending:
            result = await rig.cloud.release(rig.host, (), result.progress)
            rig.wait()
    assert result.done


async def test_a_poll_and_the_inventory_say_what_they_could_not_have(rig: Rig) -> None:
    """A poll is a value whatever happens; half an inventory is none."""
    assert (await rig.cloud.poll()).known
    before = await rig.cloud.inventory()
    rig.break_down()
    seen = await rig.cloud.poll()
    assert seen.known is not bool(seen.trouble)
    if before is not None:
        with pytest.raises(CloudUnreadableError):
            await rig.cloud.inventory()


async def test_closing_twice_is_closing(rig: Rig) -> None:
    closing: list[Callable[[], Awaitable[None]]] = [rig.cloud.aclose, rig.cloud.aclose]
    for close in closing:
        await close()
