"""Keeps what a proof of off rests on: that each BMC was seen to say *on* while its host's agent answered.

It catches a BMC mapped to the wrong machine and a rotated password before they matter. Rarely, and spread out.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.domain import notices
from controller.domain.methods import with_device
from controller.domain.model import DeviceHealth, Health, Host
from controller.domain.policy import BmcSettings, Policy
from controller.domain.power import PowerReading, PowerState
from controller.services.look import read_power
from controller.services.policies import Policies
from controller.services.telling import tell
from controller.services.world import World

log = structlog.get_logger(__name__)

CHECK_EVERY = timedelta(hours=6)
CHECK_UNPROVEN_EVERY = timedelta(seconds=30)
ALIVE_WITHIN = timedelta(seconds=90)
HEARD_WITHIN = timedelta(seconds=15)
AT_ONCE = 4
DEADLINE_S = 10.0
IN_ONE_GO = 50


async def check_devices(world: World) -> int:
    """Read the power state of a few hosts that are due and alive; returns how many."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        hosts = tuple(host for host in await tx.hosts() if not host.retired)
        policies = Policies(await tx.setting_rows(), (), hosts)
        healths = await tx.healths()
        busy = await tx.open_hosts()
    due: list[tuple[Host, Policy, int]] = []
    for number, host in enumerate(hosts):
        if number % IN_ONE_GO == 0:
            await world.clock.sleep(0)  # a thousand policies take a while: steps that are due come first
        health = healths.get(host.id)
        if host.id in busy or health is None or not _alive(health, now) or not _heard(world, host, now):
            continue
        policy = policies.of_host(host)
        methods = range(len(policy.methods))
        due += [(host, policy, n) for n in methods if _due(policy.methods[n], health, n, now)]
    claimed = [one for one in due[:AT_ONCE] if await _claim(world, *one)]
    for one in claimed:
        await _check(world, *one)
    return len(claimed)


async def _claim(world: World, host: Host, policy: Policy, method: int) -> bool:
    """One of several controllers reads: the check's time is stored before it. Not while a command is on its way."""
    device = policy.methods[method]
    async with world.store.transaction() as tx:
        health = await tx.health_for_update(host.id)
        now = await world.clock.now()
        unfinished = await tx.attempts_unfinished()
        busy = any(a.host_id == host.id or a.bmc_identity == device.identity for a in unfinished)
        if busy or not _due(device, health, method, now):
            return False
        known = replace(_known(health, method, device), checked_at=now)
        await tx.save_health(with_device(health, method, known))
        return True


def _alive(health: Health, now: datetime) -> bool:
    return health.seen_at is not None and now - health.seen_at <= ALIVE_WITHIN


def _heard(world: World, host: Host, now: datetime) -> bool:
    """By this process too: who is cut off from the host learns nothing, and must not take the look from who is not."""
    sight = world.sights.known.get(host.id)
    return not world.sights.polled or (sight is not None and now - sight.at <= HEARD_WITHIN)


def _known(health: Health, method: int, device: BmcSettings) -> DeviceHealth:
    """What is remembered of the device; nothing where another one stood in its place."""
    before = health.second if method else health.first
    return before if before.identity == device.identity else DeviceHealth(identity=device.identity)


def _due(device: BmcSettings, health: Health, method: int, now: datetime) -> bool:
    if not device.configured or health.fenced_by:
        return False
    known = _known(health, method, device)
    every = CHECK_EVERY if known.on_seen_at is not None else CHECK_UNPROVEN_EVERY
    return known.checked_at is None or now - known.checked_at >= every


async def _check(world: World, host: Host, policy: Policy, method: int) -> None:
    """*On* counts only if the agent answers right after: both in one sight."""
    reading = await read_power(world, host, policy.using(method), DEADLINE_S)
    if reading is None:
        return
    seen = await world.probing.watch(host, deadline_s=2.0)
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        before = await tx.health_for_update(host.id)
        after = _learned(_known(before, method, policy.methods[method]), reading, alive=seen.answered, now=now)
        await tx.save_health(with_device(before, method, after))
        if reading.state is not PowerState.ON and seen.answered:
            await tell(tx, notices.bmc_test_failed(host, after, at=now))
    log.info("power device checked", host_id=host.id, device=method + 1, state=reading.state, code=reading.code)


def _learned(known: DeviceHealth, reading: PowerReading, *, alive: bool, now: datetime) -> DeviceHealth:
    on_seen = known.on_seen_at
    if alive and reading.state is PowerState.ON:
        on_seen = now
    elif alive and reading.state is PowerState.OFF:
        on_seen = None  # says off while the host answers: it is another machine's, or it lies
    return replace(known, on_seen_at=on_seen, checked_at=now, code=reading.code, said=reading.said)
