"""The demo's CloudStack, and its verdict on what hostfence did there: it must say NO where a rule is broken."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.cloud.cloudstack.client import CloudStackClient
from demo.cloudstack import Cloud, HostPlan, make_cloud
from demo.machine import Guest, Machine
from demo.story import DYING, IDLE, OTHER, Seen
from demo.tell import Teller
from demo.verdict_cloud import cloud_facts
from demo.world import World
from tests.fakes.cloudstack.schedule import ManualTime

GUESTS = {DYING: ["shop-db", "shop-web"], IDLE: ["wiki"], OTHER: ["mail-relay"]}


@dataclass
class Rig:
    """Machines without processes, on virtual time."""

    world: World
    time: ManualTime
    client: CloudStackClient
    seen: Seen = field(default_factory=Seen)

    @property
    def cloud(self) -> Cloud:
        return self.world.cloud

    async def call(self, command: str, host: str = DYING, **params: str) -> None:
        await self.client.call(command, deadline_s=5.0, id=self.cloud.double.site.host(host).id, **params)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.time.advance(1)
            self.cloud.look()

    def bmc(self, what: str) -> None:
        with self.world.machines[DYING].bmc_log.open("a") as log:
            log.write(json.dumps({"at": self.time(), "what": what}) + "\n")

    # -- what happens in the story, each some seconds after the one before

    async def quarantine(self) -> None:
        await self.call("updateHost", allocationstate="Disable")

    async def death(self) -> None:
        self.cloud.died(DYING)
        self.wait(60)

    async def off(self) -> None:
        self.bmc("power_off")

    async def proof(self) -> None:
        at = datetime.now(UTC) + timedelta(seconds=self.time() - time.monotonic())
        self.seen.fenced = {"proof": {"proven_at": at.isoformat()}}

    async def release(self) -> None:
        await self.call("declareHostAsDegraded")

    async def boot(self) -> None:
        self.bmc("power_on")
        self.cloud.booted(DYING)
        self.seen.back_at = self.time()

    async def back(self) -> None:
        await self.call("cancelHostAsDegraded")

    async def wrong_host(self) -> None:
        await self.call("updateHost", host=OTHER, hosttags="hostfence was here")

    async def play(self, *steps: str) -> dict[str, bool]:
        for step in steps:
            await getattr(self, step)()
            self.wait(5)
        return dict(cloud_facts(self.world, self.seen))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    now = ManualTime(time.monotonic())
    cloud = make_cloud(now=now)
    pool = tmp_path / "pool"
    machines = {
        name: Machine(
            name=name,
            folder=tmp_path / name,
            pool=pool,
            address=f"127.77.0.{place}",
            port=1,
            heartbeat_s=1,
            guests=[Guest(vm, pool / vm, busy=True) for vm in vms],
        )
        for place, (name, vms) in enumerate(GUESTS.items(), 1)
    }
    for machine in machines.values():
        machine.folder.mkdir()
    plans = [
        HostPlan(
            name=one.name,
            address=one.address,
            bmc_port=1,
            bmc_user="made-up",
            disks={g.name: g.disk for g in one.guests},
        )
        for one in machines.values()
    ]
    cloud.build(plans, pool)
    double = cloud.double
    client = CloudStackClient(
        double.url, key=double.key, secret=double.secret, now=double.site.schedule.wall, transport=double.transport()
    )
    return Rig(World(folder=tmp_path, tell=Teller(), cloud=cloud, machines=machines), now, client)


STORY = ("quarantine", "death", "off", "proof", "release", "boot", "back")


async def test_the_story_as_it_should_be(rig: Rig) -> None:
    facts = await rig.play(*STORY)
    # No process runs here at all: these two are the ones that cannot hold.
    assert [text for text, good in facts.items() if not good] == [
        "its VMs are Running elsewhere and really run there: shop-db on kvm-b, shop-web on kvm-c",
        "the VMs of kvm-b and kvm-c are the same processes as before",
    ]


@pytest.mark.parametrize(
    ("steps", "broken"),
    [
        (("quarantine", "death", "off", "release", "proof", "boot", "back"), "after the proof of off, never before"),
        (("death", "off", "quarantine", "proof", "release", "boot", "back"), "and before the off"),
        (("death", "off", "proof", "release", "boot", "back"), "was told once to disable"),
        (("quarantine", *STORY), "was told once to disable"),
        (("quarantine", "death", "off", "proof", "release", "back", "boot"), "told once to take it back"),
        ((*STORY[:-1],), "told once to take it back"),
        (("wrong_host", *STORY), "nothing that changes kvm-b"),
        (("death", "quarantine", "off", "proof", "boot"), "CloudStack's view of kvm-a"),
    ],
)
async def test_a_broken_rule_is_said(rig: Rig, steps: tuple[str, ...], broken: str) -> None:
    facts = await rig.play(*steps)
    assert [good for text, good in facts.items() if broken in text] == [False]


async def test_two_writers_are_said(rig: Rig) -> None:
    """CloudStack alone, and a host that only seems dead."""
    rig.cloud.double.site.silence_agent(DYING, heartbeat_stale=True)
    rig.wait(60)
    facts = await rig.play("off", "proof")
    assert rig.cloud.two_writers == {"shop-db", "shop-web"}
    assert [good for text, good in facts.items() if "never two writers" in text] == [False]


async def test_the_twin_shows_what_would_have_been(rig: Rig) -> None:
    await rig.quarantine()
    rig.cloud.died(DYING)
    told = _told(rig, rig.cloud.alone, within_s=60)
    assert told == [("shop-db", "shop-web")]
    # Missed pings for more than 37.5 s, looked at every 15 s, investigated for 2.5 s, and a second for the restart.
    assert 33 <= rig.cloud.by_itself_at - rig.cloud.views[0][0] <= 50
    assert rig.cloud.runs_on("shop-db") == DYING
    assert rig.cloud.views_of(DYING) == ["Up/Enabled", "Up/Disabled", "Disconnected/Disabled"]


def _told(rig: Rig, look: Callable[[], tuple[str, ...]], *, within_s: int) -> list[tuple[str, ...]]:
    told = []
    for _ in range(within_s):
        rig.wait(1)
        told += [names] if (names := look()) else []
    return told
