"""What every cloud adapter promises (:mod:`controller.cloud.base`), on each of them and on the fake.

A rig brings one adapter in a world where all is well, and can make that world fail.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.cloud.base import Cloud, EffectResult
from controller.cloud.standalone import Hooks, Standalone
from controller.domain.evidence import CloudSays, DiskList, Machine
from controller.domain.model import Host, Pool, Vm
from tests.fakes.cloud import FAILED, FakeCloud
from tests.fixtures import builders as a

HOST = a.host()
EFFECTS = ("quarantine", "unquarantine", "release")


@dataclass(slots=True)
class Rig:
    """``break_down`` makes everything the adapter talks to fail; ``mend`` ends that."""

    cloud: Cloud
    break_down: Callable[[], None]
    mend: Callable[[], None]

    async def do(self, effect: str) -> EffectResult:
        match effect:
            case "quarantine":
                return await self.cloud.quarantine(HOST)
            case "unquarantine":
                return await self.cloud.unquarantine(HOST, "Enabled")
            case _:
                return await self.cloud.release(HOST, (Machine(id="v1", name="vm v1"),), {})


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
    broken = folder / "broken"
    command = ("/bin/sh", "-c", f'test ! -e "{broken}"')

    async def inventory(host: Host) -> tuple[list[Vm], list[Pool]] | None:
        return None if broken.exists() else ([a.vm(host_id=host.id, disks=(a.disk(),))], [a.pool()])

    cloud = Standalone(inventory, Hooks(commands=dict.fromkeys(EFFECTS, command)))
    return Rig(cloud, broken.touch, broken.unlink)


RIGS: dict[str, Callable[[Path], Rig]] = {"fake": lambda _: fake(), "standalone": standalone}


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    made = RIGS[request.param](tmp_path)
    yield made
    await made.cloud.aclose()


async def test_disks_come_with_their_pools(rig: Rig) -> None:
    disks = await rig.cloud.disks(HOST)
    assert disks.known
    assert len(disks.vms) == 1
    assert disks.roots_in_question == disks.pool_roots == ("/mnt/p1",)
    assert [t.path.startswith("/mnt/p1/") for t in disks.targets] == [True]


async def test_disks_that_cannot_be_read_are_unknown_and_no_empty_list(rig: Rig) -> None:
    rig.break_down()
    assert not (await rig.cloud.disks(HOST)).known


async def test_an_opinion_is_a_value_whatever_happens(rig: Rig) -> None:
    rig.break_down()
    assert await rig.cloud.says(HOST) in CloudSays


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


async def test_closing_twice_is_closing(rig: Rig) -> None:
    closing: list[Callable[[], Awaitable[None]]] = [rig.cloud.aclose, rig.cloud.aclose]
    for close in closing:
        await close()
