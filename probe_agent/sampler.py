"""Watches every heartbeat on every pool, all the time: this is what makes a later silence mean something."""

import asyncio
import logging

from probe_agent.clock import boottime, irregular
from probe_agent.mounts import read_mounts
from probe_agent.pools import SeenNothingError
from probe_agent.recollection import KEPT_EVERY_S, Recollection
from probe_agent.runner import Runner
from probe_agent.targets import Roots
from probe_agent.tracker import PoolTrack
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import PoolSight

_log = logging.getLogger(__name__)
_LOOK_WITHIN_S = 5.0
_STALE_AFTER_INTERVALS = 3
_STALE_MARGIN_S = 2.0


class Sampler:
    """Looks at all pools every ``interval_s`` or a bit sooner; a pool that hangs misses its turns, the others don't."""

    def __init__(
        self,
        runner: Runner,
        roots: Roots,
        *,
        host_id: str,
        boot_id: str,
        interval_s: float,
        recollection: Recollection,
    ) -> None:
        self._runner = runner
        self._roots = roots
        self._host_id = host_id
        self._boot_id = boot_id
        self._interval_s = interval_s
        self._recollection = recollection
        self._recalled = recollection.recall()
        self._kept_at = boottime()
        self._pools: dict[str, PoolTrack] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                try:
                    self._tick()
                except OSError as error:  # the mount table could not be read: ages grow, sights go stale
                    _log.warning("pools could not be listed: %s", error)
                if boottime() - self._kept_at > KEPT_EVERY_S:
                    self._keep()
                await asyncio.sleep(irregular(self._interval_s))
        finally:
            self._keep()

    def sights(self) -> list[PoolSight]:
        """All pools with all heartbeats."""
        now = boottime()
        return [pool.sight(now=now) for pool in self._pools.values()]

    def sight(self, root: str, subject: str) -> PoolSight:
        """One pool with the own heartbeat and the subject's."""
        pool = self._pools.get(root)
        if pool is None:
            return PoolSight(
                root=root,
                status=ReadingStatus.UNKNOWN,
                code=ReadingCode.NOT_MOUNTED,
                detail="not a pool of this agent",
            )
        return pool.sight(now=boottime(), only=subject)

    def _tick(self) -> None:
        roots = self._roots.of_pools()
        self._runner.retain(self._roots.of_targets())
        for gone in self._pools.keys() - set(roots):
            del self._pools[gone]
        self._looks = {root: look for root, look in self._looks.items() if root in self._pools or not look.done()}
        mounts = read_mounts()
        for root in roots:
            if root not in self._pools:
                self._pools[root] = self._new_pool(root)
            self._pools[root].mounted(mounts.get(root))
            look = self._looks.get(root)
            if look is None or look.done():
                self._looks[root] = asyncio.create_task(self._look(self._pools[root]))

    def _new_pool(self, root: str) -> PoolTrack:
        stale_after_s = _STALE_AFTER_INTERVALS * self._interval_s + _STALE_MARGIN_S
        recalled = self._recalled.pop(root, {})
        return PoolTrack(root, self._host_id, self._boot_id, stale_after_s, tracks=recalled)

    def _keep(self) -> None:
        self._kept_at = boottime()
        self._recollection.keep(self._pools.values())

    async def _look(self, pool: PoolTrack) -> None:
        was = pool.code
        try:
            seen = await self._runner.sample(pool.root, pool.known, within_s=_LOOK_WITHIN_S)
            pool.add(seen["samples"])
        except SeenNothingError as error:
            pool.fail(error)
        except (LookupError, TypeError, ValueError) as error:  # no child of ours answers so
            pool.fail(SeenNothingError(ReadingCode.OTHER, f"not understood: {error}"))
        if pool.code is not was:
            _log.info("pool %s: %s %s", pool.root, pool.code or "ok", pool.detail)
