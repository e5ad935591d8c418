"""Every host's readiness, worked out once for all viewers of this process: a thousand hosts take longer than a page.

What is known is shown at once, with its age; what is older than half a minute is renewed meanwhile.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from controller.db.store import Clock, StoreError
from controller.domain.cluster_readiness import ClusterReadiness
from controller.services.explaining import Explainer

log = structlog.get_logger(__name__)

FRESH_S = 30.0
"""For a thousand hosts it takes about two seconds of the processor, which the engine needs too."""
WORTH_S = 180.0
WAITED_FOR_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """By cluster id. ``at`` None: not known yet."""

    at: datetime | None
    clusters: Mapping[str, ClusterReadiness]


NOTHING = Foreseen(at=None, clusters={})


class Foresight:
    """Asks the explainer at most every :data:`FRESH_S`, one at a time."""

    def __init__(self, explainer: Explainer, clock: Clock) -> None:
        self._explainer = explainer
        self._clock = clock
        self._known = NOTHING
        self._made_at = float("-inf")
        self._work: asyncio.Task[None] | None = None

    async def now(self) -> Foreseen:
        """What is known; waited for a moment where nothing worth showing is."""
        age = self._clock.boottime() - self._made_at
        if age >= FRESH_S and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._renew())
        if age < WORTH_S or self._work is None:
            return self._known
        await asyncio.wait({self._work}, timeout=WAITED_FOR_S)
        return self._known if self._clock.boottime() - self._made_at < WORTH_S else NOTHING

    def forget(self) -> None:
        """What is known is of another site: a test's next one."""
        self._known, self._made_at = NOTHING, float("-inf")

    async def _renew(self) -> None:
        began = self._clock.boottime()
        try:
            found = await self._explainer.everything()
            at = await self._clock.now()
        except StoreError as error:
            log.warning("readiness could not be worked out", error=str(error))
            return
        self._known = Foreseen(at=at, clusters={one.cluster.id: one for one in found})
        self._made_at = began
