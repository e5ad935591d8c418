"""What changed, as it happens: one look a second for all viewers of this process, and only while there are any.

A look reads marks, not rows (:mod:`controller.domain.marks`). Each viewer has a set of topics that are news to it, not
a queue: however slow it reads, nothing piles up.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog

from controller.db.store import Clock, Store, StoreError
from controller.domain.marks import Mark, Marked, changed

log = structlog.get_logger(__name__)

LOOK_S = 1.0
_TOPICS: dict[Marked, frozenset[str]] = {
    Marked.INCIDENT: frozenset({"overview", "incidents"}),
    Marked.ATTEMPT: frozenset({"overview"}),
    Marked.EFFECT: frozenset(),
    Marked.DELIVERY: frozenset({"notifications"}),
    Marked.NOTICE: frozenset({"notifications"}),
    Marked.PAUSE: frozenset({"overview", "pauses"}),
    Marked.CLUSTER: frozenset({"overview"}),
    Marked.HOSTS: frozenset({"overview"}),
    Marked.AUDIT: frozenset({"audit", "settings", "access"}),
    Marked.CLOUD: frozenset({"cloud"}),
}
"""Besides ``incident:ID``, ``host:ID`` and ``cluster:ID`` of what a mark names."""


def topics_of(mark: Mark) -> frozenset[str]:
    """What a change of it is news to."""
    named = (("incident", mark.incident_id), ("host", mark.host_id), ("cluster", mark.cluster_id))
    return _TOPICS[mark.kind] | {f"{kind}:{one}" for kind, one in named if one}


class Viewer:
    """One page that listens: to topics, or to all of a kind (``cluster:*``)."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._news: set[str] = set()
        self._stirred = asyncio.Event()

    def tell(self, topics: Collection[str]) -> None:
        """Keep what is news to it."""
        news = {one for one in topics if one in self._wanted or f"{one.partition(':')[0]}:*" in self._wanted}
        if news:
            self._news |= news
            self.stir()

    def stir(self) -> None:
        """Have it look up, news or not."""
        self._stirred.set()

    async def news(self, *, within_s: float) -> tuple[str, ...]:
        """What came since the last call; waited for that long. Empty: nothing, or it was stirred."""
        try:
            await asyncio.wait_for(self._stirred.wait(), within_s)
        except TimeoutError:
            return ()
        self._stirred.clear()
        news, self._news = tuple(sorted(self._news)), set()
        return news


class Live:
    """The process's one watcher of the database for all its viewers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._viewers: set[Viewer] = set()
        self._marks: list[Mark] | None = None
        self._task: asyncio.Task[None] | None = None
        self.looked_at: datetime | None = None
        """When a look last succeeded, while anybody is watching."""
        self.trouble = False
        """The newest look failed."""
        self.closed = False

    @contextmanager
    def viewer(self, wanted: Collection[str]) -> Iterator[Viewer]:
        """Listen while the block lasts."""
        viewer = Viewer(wanted)
        self._viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """Let every stream end: the process is going to."""
        self.closed = True
        for viewer in self._viewers:
            viewer.stir()

    async def look(self) -> None:
        """Once: tell every viewer what changed since the look before."""
        try:
            async with self._store.transaction() as tx:
                marks = await tx.marks()
            now = await self._clock.now()
        except StoreError as error:
            self._failed(error)
            return
        before, self._marks, self.looked_at = self._marks, marks, now
        news = {topic for mark in changed(before, marks) for topic in topics_of(mark)} if before is not None else set()
        was_in_trouble, self.trouble = self.trouble, False
        for viewer in self._viewers:
            if was_in_trouble:
                viewer.stir()
            viewer.tell(news)

    async def _watch(self) -> None:
        self._marks = None  # what changed while nobody watched is no news: pages were loaded since
        while self._viewers and not self.closed:
            await self.look()
            await asyncio.sleep(LOOK_S)

    def _failed(self, error: StoreError) -> None:
        if not self.trouble:
            log.warning("the pages are not live: the database does not answer", error=str(error))
            self.trouble = True
            for viewer in self._viewers:
                viewer.stir()
