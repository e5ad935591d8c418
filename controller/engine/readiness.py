"""Keeps what a proof of off rests on: that each BMC was seen to say *on* while its host's agent answered.

It catches a BMC mapped to the wrong machine and a rotated password before they matter. Rarely, and spread out.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.domain import notices
from controller.domain.model import Health, Host
from controller.domain.policy import Policy
from controller.domain.power import PowerReading, PowerState
from controller.services.look import read_power
from controller.services.policies import Policies
from controller.services.telling import tell
from controller.services.world import World

log = structlog.get_logger(__name__)

CHECK_EVERY = timedelta(hours=6)
CHECK_UNPROVEN_EVERY = timedelta(seconds=30)
ALIVE_WITHIN = timedelta(seconds=90)
AT_ONCE = 4
DEADLINE_S = 10.0
IN_ONE_GO = 50


async def check_devices(world: World) -> int:
    """Read the power state of a few hosts that are due and alive; returns how many."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        hosts = tuple(await tx.hosts())
        policies = Policies(await tx.setting_rows(), (), hosts)
        healths = await tx.healths()
        busy = await tx.open_hosts()
    due = []
    for number, host in enumerate(hosts):
        if number % IN_ONE_GO == 0:
            await world.clock.sleep(0)  # a thousand policies take a while: steps that are due come first
        health = healths.get(host.id)
        if host.id in busy or health is None or not _alive(health, now):
            continue
        policy = policies.of_host(host)
        if _due(policy, health, now):
            due.append((host, policy))
    claimed = [(host, policy) for host, policy in due[:AT_ONCE] if await _claim(world, host, policy)]
    for host, policy in claimed:
        await _check(world, host, policy)
    return len(claimed)


async def _claim(world: World, host: Host, policy: Policy) -> bool:
    """One of several controllers reads: the check's time is stored before it. Not while a command is on its way."""
    async with world.store.transaction() as tx:
        health = await tx.health_for_update(host.id)
        now = await world.clock.now()
        unfinished = await tx.attempts_unfinished()
        busy = any(a.host_id == host.id or a.bmc_identity == policy.bmc.identity for a in unfinished)
        if busy or not _due(policy, health, now):
            return False
        same = health.bmc_identity == policy.bmc.identity
        await tx.save_health(
            replace(
                health,
                bmc_identity=policy.bmc.identity,
                bmc_on_seen_at=health.bmc_on_seen_at if same else None,
                bmc_checked_at=now,
            )
        )
        return True


def _alive(health: Health, now: datetime) -> bool:
    return health.seen_at is not None and now - health.seen_at <= ALIVE_WITHIN


def _due(policy: Policy, health: Health, now: datetime) -> bool:
    if not policy.bmc.configured or health.fenced_by:
        return False
    if health.bmc_identity != policy.bmc.identity:
        return True
    every = CHECK_EVERY if health.bmc_on_seen_at is not None else CHECK_UNPROVEN_EVERY
    return health.bmc_checked_at is None or now - health.bmc_checked_at >= every


async def _check(world: World, host: Host, policy: Policy) -> None:
    """*On* counts only if the agent answers right after: both in one sight."""
    reading = await read_power(world, policy, DEADLINE_S)
    if reading is None:
        return
    seen = await world.probing.watch(host, deadline_s=2.0)
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        before = await tx.health_for_update(host.id)
        after = _learned(before, policy, reading, alive=seen.answered, now=now)
        await tx.save_health(after)
        if reading.state is not PowerState.ON and seen.answered:
            await tell(tx, notices.bmc_test_failed(host, after, at=now))
    log.info("power device checked", host_id=host.id, state=reading.state, code=reading.code)


def _learned(health: Health, policy: Policy, reading: PowerReading, *, alive: bool, now: datetime) -> Health:
    changed = health.bmc_identity != policy.bmc.identity
    on_seen = None if changed else health.bmc_on_seen_at
    if alive and reading.state is PowerState.ON:
        on_seen = now
    elif alive and reading.state is PowerState.OFF:
        on_seen = None  # says off while the host answers: it is another machine's, or it lies
    return replace(
        health,
        bmc_identity=policy.bmc.identity,
        bmc_on_seen_at=on_seen,
        bmc_checked_at=now,
        bmc_code=reading.code,
        bmc_said=reading.said,
    )
