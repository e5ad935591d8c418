"""Tests each power device in the background, so that a rotated password or a wrong wire is found before it matters.

Rarely, a few at a time, whoever was left alone longest first; never while something is done to the host. What a test
teaches is kept by :mod:`controller.services.device_checks`: the proof of off rests on it.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from controller.domain.in_flight import in_flight
from controller.domain.methods import with_device
from controller.domain.model import Health, Host
from controller.domain.policy import BmcSettings, Policy
from controller.domain.power import PowerCode
from controller.services.device_checks import keep_reading, known_device
from controller.services.look import read_power
from controller.services.policies import Policies
from controller.services.world import World

log = structlog.get_logger(__name__)

CHECK_EVERY = timedelta(hours=6)
CHECK_FAILING_EVERY = timedelta(minutes=10)
"""Of a device that worked before, so that its recovery shows soon. Refused credentials are not tried again that often
(:mod:`controller.power.devices`)."""
CHECK_UNPROVEN_EVERY = timedelta(seconds=30)
ALIVE_WITHIN = timedelta(seconds=90)
HEARD_WITHIN = timedelta(seconds=15)
AT_ONCE = 4
DEADLINE_S = 10.0
IN_ONE_GO = 50


@dataclass(frozen=True, slots=True)
class _Test:
    host: Host
    policy: Policy
    method: int

    @property
    def device(self) -> BmcSettings:
        return self.policy.methods[self.method]


async def check_devices(world: World) -> int:
    """Read the power state of a few hosts that are due and alive; returns how many."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        hosts = tuple(host for host in await tx.hosts() if not host.retired)
        policies = Policies(await tx.setting_rows(), (), hosts)
        healths = await tx.healths()
        busy = await tx.open_hosts()
    due: list[tuple[datetime, _Test]] = []
    for number, host in enumerate(hosts):
        if number % IN_ONE_GO == 0:
            await world.clock.sleep(0)  # a thousand policies take a while: steps that are due come first
        health = healths.get(host.id)
        if host.id in busy or health is None or not _alive(health, now) or not _heard(world, host, now):
            continue
        policy = policies.of_host(host)
        tests = [_Test(host, policy, method) for method in range(len(policy.methods))]
        due += [(_tested_at(one.device, health, one.method, now), one) for one in tests if _due(one, health, now)]
    # Whoever waits longest first: those that do not answer, and come due again soon, must not keep the others waiting.
    due.sort(key=lambda one: one[0])
    claimed = [one for _, one in due[:AT_ONCE] if await _claim(world, one)]
    await asyncio.gather(*(_test(world, one) for one in claimed))
    return len(claimed)


async def _claim(world: World, one: _Test) -> bool:
    """One of several controllers reads: the test's time is stored before it. Not while a command is on its way."""
    async with world.store.transaction() as tx:
        health = await tx.health_for_update(one.host.id)
        now = await world.clock.now()
        busy = in_flight(await tx.attempts_unfinished(), host_id=one.host.id, identity=one.device.identity)
        if busy or not _due(one, health, now):
            return False
        known = replace(known_device(health, one.method, one.device), checked_at=now)
        await tx.save_health(with_device(health, one.method, known))
        return True


async def _test(world: World, one: _Test) -> None:
    reading = await read_power(world, one.host, one.policy.using(one.method), DEADLINE_S)
    if reading is None:
        return
    await keep_reading(world, one.host, one.policy, one.method, reading, telling=True)
    log.info("power device tested", host_id=one.host.id, device=one.method + 1, state=reading.state, code=reading.code)


def _alive(health: Health, now: datetime) -> bool:
    return health.seen_at is not None and now - health.seen_at <= ALIVE_WITHIN


def _heard(world: World, host: Host, now: datetime) -> bool:
    """By this process too: who is cut off from the host learns nothing, and must not take the look from who is not."""
    sight = world.sights.known.get(host.id)
    return not world.sights.polled or (sight is not None and now - sight.at <= HEARD_WITHIN)


def _tested_at(device: BmcSettings, health: Health, method: int, now: datetime) -> datetime:
    """When it was tested last; longer ago than any other where it never was."""
    return known_device(health, method, device).checked_at or now - 1000 * CHECK_EVERY


def _due(one: _Test, health: Health, now: datetime) -> bool:
    if not one.device.configured or health.fenced_by:
        return False
    known = known_device(health, one.method, one.device)
    every = CHECK_EVERY if known.code is PowerCode.NONE else CHECK_FAILING_EVERY
    every = CHECK_UNPROVEN_EVERY if known.on_seen_at is None else every
    return known.checked_at is None or now - known.checked_at >= every
