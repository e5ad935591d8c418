"""Several real controllers on one real PostgreSQL, killed and stopped and cut off while they fence.

What is asserted is read from the BMCs' own logs and from the database, never from what a controller says of itself.
"""

import asyncio
import random
import secrets
import signal
import time
from collections.abc import Iterable
from datetime import timedelta
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, RoundRecord
from controller.domain.power import Accepted
from controller.domain.reasons import Reason
from controller.engine.step import LEASE
from demo.bmc import Entry
from tests.fakes.site import Site
from tests.fixtures.fleet import SETTINGS, Database, Fleet, Proxy, database_at, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LEASE_S = LEASE.total_seconds()
TWO_ROUNDS_S = 2 * SETTINGS["check_interval"] + 3


@pytest.fixture
def seed() -> int:
    """Printed with a failure."""
    made = secrets.randbelow(10**6)
    print(f"seed {made}")  # noqa: T201 - for whoever reads the failure
    return made


@pytest.mark.timeout(240)
async def test_killed_and_stopped_at_random_while_many_hosts_die(database_url: str, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    dying = ["a1", "a2", "a3", "b1", "b2"]
    async with Site() as site, database_at(database_url) as database:
        await site.add("a", ["a1", "a2", "a3", "a4", "a5", "a6"])
        await site.add("b", ["b1", "b2", "b3", "b4"])
        await database.furnish(site)
        async with Fleet(tmp_path, database_url, 3) as fleet:
            await fleet.start()
            await until("each BMC to be known", lambda: all_known(database, site), within_s=60)
            deaths = asyncio.create_task(die_one_by_one(site, dying, chance))
            await chaos(fleet, chance, seconds=30)
            await deaths
            ended = time.monotonic()
            await until("all to be fenced", lambda: all_fenced(database, site, dying), within_s=75)
            print(f"seed {seed}: fenced {time.monotonic() - ended:.1f} s after the chaos")  # noqa: T201
            for number in range(len(fleet)):
                assert await fleet.end(number, signal.SIGTERM) == 0
            assert fleet.left_behind() == []
        await the_rules_held(database, site, dying)
        assert {name for name in site.hosts if not site.lives(name)} == set(dying)
        assert [i for i in await database.incidents() if i.open] == []


@pytest.mark.timeout(120)
async def test_stopped_between_intent_and_send_it_sends_nothing_when_it_wakes(
    database_url: str, tmp_path: Path
) -> None:
    """Rule 9, and the takeover: another controller finds the intent within a lease, reads, and only then sends."""
    async with Site() as site, database_at(database_url) as database:
        await site.add("a", ["a1", "a2", "a3", "a4"])
        await database.furnish(site)
        await database.known_well(site)
        async with Fleet(tmp_path, database_url, 2) as fleet:
            await fleet.start(0)
            site.hosts["a1"].bmc.behaviour.login_delay_s = 0.3
            await almost_dead(database, site, "a1")
            attempt = await until("an intent", lambda: first_attempt(database), within_s=40, every_s=0.01)
            fleet.freeze(0)
            frozen = time.monotonic()
            assert site.offs("a1") == [], "too late: the off was sent before the stop"
            await fleet.start(1)
            taken = await until("a takeover", lambda: taken_over(database, attempt), within_s=LEASE_S + 8)
            took = time.monotonic() - frozen
            assert taken.accepted is Accepted.UNKNOWN
            assert site.offs("a1") == []
            fleet.go_on(0)
            site.hosts["a1"].bmc.behaviour.login_delay_s = 0.0
            await until("the end", lambda: all_fenced(database, site, ["a1"]), within_s=60)
            print(f"taken over {took:.1f} s after the stop")  # noqa: T201
            first, second = await database.attempts()
            (off,) = site.offs("a1")
            assert off > second.intended_at.timestamp() - clock_offset(), "the first intent's off was sent late"
            assert (first.accepted, second.accepted) == (Accepted.UNKNOWN, Accepted.YES)
        await the_rules_held(database, site, ["a1"])


@pytest.mark.timeout(120)
async def test_the_last_slot_is_taken_once_while_every_controller_is_restarted(
    database_url: str, tmp_path: Path
) -> None:
    """Rule 5 under a race; SIGTERM in mid-fence finishes or hands over."""
    async with Site() as site, database_at(database_url) as database:
        await site.add("a", ["a1", "a2", "a3", "a4", "a5"])
        await database.furnish(site, max_actions=1, storm_cooldown=0)
        await database.known_well(site)
        async with Fleet(tmp_path, database_url, 3) as fleet:
            await fleet.start()
            # Minutes apart, so that it is no storm.
            await almost_dead(database, site, "a1", "a2", apart_s=300)
            await until("an intent", lambda: first_attempt(database), within_s=40, every_s=0.01)
            for number in range(len(fleet)):
                assert await fleet.end(number, signal.SIGTERM) == 0
                if number:
                    await fleet.start(number)
            assert fleet.left_behind() == []
            await until("one end", lambda: some_fenced(database, site, ["a1", "a2"]), within_s=40)
            await until("one hold", lambda: held(database, site, ["a1", "a2"], Reason.CAP_REACHED), within_s=30)
        assert len(site.offs("a1") + site.offs("a2")) == 1
        assert len(await database.attempts()) == 1, "the step that was under way was finished, not handed over"
        await the_rules_held(database, site, ["a1", "a2"])


@pytest.mark.timeout(180)
async def test_without_a_database_nothing_is_sent_and_the_engine_comes_back_by_itself(
    database_url: str, tmp_path: Path
) -> None:
    """Hung, cut right after a command, read-only: no action without a stored intent, and no second one."""
    async with Site() as site, database_at(database_url) as database, Proxy(database_url) as proxy:
        await site.add("a", ["a1", "a2", "a3", "a4", "a5"], on_off=lambda name: proxy.cut() if name == "a1" else None)
        await database.furnish(site)
        await database.known_well(site)
        async with Fleet(tmp_path, proxy.url, 2) as fleet:
            await fleet.start()
            await almost_dead(database, site, "a1")

            proxy.hang()
            hung = time.monotonic()
            await until("a word of it", lambda: says(fleet, "unavailable"), within_s=30)
            assert time.monotonic() - hung < 10
            await asyncio.sleep(3)
            assert (await database.attempts(), site.offs("a1")) == ([], [])
            await proxy.on()
            await database.as_if_checked_all_the_while(site, "a1")

            await until("the off", lambda: sent(site, "a1"), within_s=60, every_s=0.05)
            await until("a word of it", lambda: says(fleet, "unavailable"), within_s=10)
            await asyncio.sleep(3)
            await proxy.on()
            await until("a1 to be fenced", lambda: all_fenced(database, site, ["a1"]), within_s=60)
            (attempt,) = await database.attempts()
            assert attempt.accepted is Accepted.UNKNOWN
            assert len(site.offs("a1")) == 1

            await database.read_only()
            await almost_dead(database, site, "a2")
            await until("a word of it", lambda: says(fleet, "unavailable"), within_s=10)
            await asyncio.sleep(TWO_ROUNDS_S / 2)
            assert site.offs("a2") == []
            await database.writable()
            await database.as_if_checked_all_the_while(site, "a2")
            await until("a2 to be fenced", lambda: all_fenced(database, site, ["a2"]), within_s=60)
            await until("a word of it", lambda: says(fleet, "ok"), within_s=10)
            assert all(fleet.runs(number) for number in range(len(fleet)))
        await the_rules_held(database, site, ["a1", "a2"])


@pytest.mark.timeout(150)
async def test_behind_a_slow_database_a_dead_host_is_fenced_once_all_the_same(
    database_url: str, tmp_path: Path
) -> None:
    """40 ms for each statement and back, hundreds of times what it should be: later than usual, by the same rules."""
    async with Site() as site, database_at(database_url) as database, Proxy(database_url) as proxy:
        await site.add("a", ["a1", "a2", "a3", "a4"])
        await database.furnish(site)
        await database.known_well(site)
        async with Fleet(tmp_path, proxy.url, 2) as fleet:
            await fleet.start()
            await almost_dead(database, site, "a1")
            proxy.slow(0.02)
            await until("a1 to be fenced", lambda: all_fenced(database, site, ["a1"]), within_s=100)
            assert all(fleet.runs(number) for number in range(len(fleet)))
        assert len(site.offs("a1")) == 1
        await the_rules_held(database, site, ["a1"])


# -- what happens to controllers


async def chaos(fleet: Fleet, chance: random.Random, *, seconds: float) -> None:
    """Kill, stop or restart one controller after the other; at least one is left running all the time."""
    until_then = time.monotonic() + seconds
    coming_back: list[asyncio.Task[None]] = []
    hurt: set[int] = set()

    async def hurt_one(number: int) -> None:
        match chance.choice(("kill", "kill", "stop", "stop", "long stop", "restart")):
            case "kill":
                await fleet.end(number, signal.SIGKILL)
                await asyncio.sleep(chance.uniform(0, 4))
                await fleet.start(number)
            case "restart":
                assert await fleet.end(number, signal.SIGTERM) == 0
                await fleet.start(number)
            case how:
                fleet.stop(number)
                await asyncio.sleep(chance.uniform(0.2, 6) if how == "stop" else LEASE_S + chance.uniform(0, 3))
                fleet.go_on(number)
        hurt.discard(number)

    while time.monotonic() < until_then:
        well = [number for number in range(len(fleet)) if number not in hurt]
        if len(well) > 1:
            number = chance.choice(well)
            hurt.add(number)
            coming_back.append(asyncio.create_task(hurt_one(number)))
        await asyncio.sleep(chance.uniform(0.5, 4))
    await asyncio.gather(*coming_back)


async def die_one_by_one(site: Site, names: Iterable[str], chance: random.Random) -> None:
    for name in names:
        await site.die(name)
        await asyncio.sleep(chance.uniform(0, 3))


async def almost_dead(database: Database, site: Site, *names: str, apart_s: float = 0) -> None:
    """They die, and an incident stands that was opened long ago. Polls under way must end before: they saw life."""
    for name in names:
        await site.die(name)
    await asyncio.sleep(SETTINGS["watch_timeout"] / 2)
    for number, name in enumerate(names):
        await database.almost_dead(site, name, opened_before_s=60 + apart_s * number)


# -- what the database says


async def all_known(database: Database, site: Site) -> bool:
    async with database.store.transaction() as tx:
        healths = await tx.healths()
    return all(h.id in healths and healths[h.id].bmc_on_seen_at for h in site.hosts.values())


async def all_fenced(database: Database, site: Site, names: Iterable[str]) -> bool:
    found = [await database.incident(name, site) for name in names]
    return all(incident is not None and incident.state is State.FENCED for incident in found)


async def some_fenced(database: Database, site: Site, names: Iterable[str]) -> bool:
    return any([await all_fenced(database, site, [name]) for name in names])


async def held(database: Database, site: Site, names: Iterable[str], why: Reason) -> bool:
    """Held, or waiting with its rounds going on, for that reason."""
    found = [await database.incident(name, site) for name in names]
    return any(i is not None and i.state in (State.HELD, State.CHECKING) and why in i.reasons for i in found)


async def says(fleet: Fleet, what: str) -> bool:
    """Every controller says so of its database."""
    return set(await asyncio.gather(*(fleet.healthz(number) for number in range(len(fleet))))) == {what}


async def sent(site: Site, name: str) -> bool:
    return bool(site.offs(name))


async def first_attempt(database: Database) -> Attempt | None:
    return next(iter(await database.attempts()), None)


async def taken_over(database: Database, attempt: Attempt) -> Attempt | None:
    return next((a for a in await database.attempts() if a.id == attempt.id and a.finished_at is not None), None)


# -- the rules


async def the_rules_held(database: Database, site: Site, dead: Iterable[str]) -> None:
    """From the BMCs' logs and the database: what must hold in every run, whatever happened."""
    attempts, incidents = await database.attempts(), await database.incidents()
    offset = clock_offset()
    for name, host in site.hosts.items():
        offs = site.offs(name)
        assert not host.cut_alive, f"{name} lived when its power was cut"
        assert name in dead or not offs, f"{name} lives and its BMC was told off"
        mine = [i for i in incidents if i.host_id == host.id]
        tried = sorted((a for a in attempts if a.host_id == host.id), key=lambda a: a.intended_at)
        assert len(offs) <= len(tried), f"{name}: an off without an intent"
        assert all(i.command.count <= SETTINGS.get("max_commands_per_incident", 3) for i in mine)
        for at, intent in zip(offs, _senders(offs, tried, offset), strict=True):
            await was_justified(database, mine, intent, f"{name}, off at {at:.2f}")
        for earlier, later in pairwise(offs):
            reads = [e for e in site.entries(name) if e.what == "status" and earlier < e.at < later]
            assert reads, f"{name}: a second off with no power read in between"
        alone(site.entries(name), name)
    caps_held(attempts, {h.id: h.cluster for h in site.hosts.values()})


def clock_offset() -> float:
    """From the BMCs' clock to the database's; both are on this machine."""
    return time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()


def _senders(offs: list[float], tried: list[Attempt], offset: float) -> list[Attempt]:
    """The newest intent before each off; no intent sends twice."""
    senders = []
    for at in offs:
        before = [a for a in tried if a.intended_at.timestamp() - offset <= at]
        assert before, "an off before any intent"
        assert before[-1] not in senders, "one intent, two offs"
        assert at - (before[-1].intended_at.timestamp() - offset) < 6, "an off long after its intent"
        senders.append(before[-1])
    return senders


async def was_justified(database: Database, mine: list[Incident], intent: Attempt, what: str) -> None:
    """Rule 2: the newest round before the intent is dead and young, and no round since the last command was alive."""
    incident = next(i for i in mine if i.id == intent.incident_id)
    async with database.store.transaction() as tx:
        rounds: list[RoundRecord] = await tx.rounds(incident.id, limit=1000)
    before = [r for r in rounds if r.at <= intent.intended_at]
    assert before, what
    assert before[-1].verdict == "dead", f"{what}: {before[-1]}"
    assert intent.intended_at - before[-1].at < 2 * timedelta(seconds=SETTINGS["check_interval"]), what


def alone(entries: list[Entry], name: str) -> None:
    """Rule 4, as the BMC saw it: from its login to its last request nobody else is served."""
    sessions: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.peer != ":0" and entry.what != "logout":
            sessions.setdefault(entry.peer, []).append(entry)
    spans = [(s[0].at, s[-1].at, s[0].peer, {e.what for e in s}) for s in sessions.values()]
    for one, other in combinations(spans, 2):
        overlap = one[0] < other[1] and other[0] < one[1]
        assert not overlap, f"{name}: two sessions at once: {one} {other}"


def caps_held(attempts: list[Attempt], cluster_of: dict[str, str]) -> None:
    """Rule 5: in no sliding window more hosts are taken down than the cap allows."""
    window = timedelta(hours=1)
    slots = [a for a in attempts if a.takes_slot]
    for cluster, cap in ((c, SETTINGS["max_actions"]) for c in set(cluster_of.values())):
        for first in slots:
            inside = {
                a.incident_id
                for a in slots
                if a.cluster_id == cluster and first.intended_at <= a.intended_at < first.intended_at + window
            }
            assert len(inside) <= cap
