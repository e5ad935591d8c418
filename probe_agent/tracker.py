"""How long ago each heartbeat moved, by this machine's own monotonic clock. Pure: time is an argument.

A record has moved when boot id, counter or state differ from the earlier reading, never because one is greater; the
first sight of a record is not a movement, since it may be years old. A failed look changes no age and makes the sight
*unknown* (rule 3). No clock of another machine takes part (rule 12).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from probe_agent.mounts import Mount
from probe_agent.pools import SeenNothingError
from probe_agent.sampling import Sample
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import HeartbeatSight, PoolSight

FORGET_AFTER_S = 3600.0
"""A record that has been missing for so long is dropped."""

DISPUTED_FOR_S = 120.0
"""One writer alone has moved a record for so long: there is no other any more."""


@dataclass(slots=True)
class Track:
    """What is known of one record. All times are boot-time seconds."""

    since: float
    last: Sample
    good: Sample | None = None
    moved_at: float | None = None
    left_boots: set[str] = field(default_factory=set)
    """Boots after which another one wrote: none of them can come back, unless two hosts write."""
    disputed_at: float | None = None

    def add(self, sample: Sample, *, gap_s: float) -> None:
        """Take one more look into account. After ``gap_s`` without one nobody knows when in between it moved."""
        self.last = sample
        if sample.code is not None:
            return
        before, self.good = self.good, sample
        if before is None or before[4:] == sample[4:]:
            return
        # The earliest moment: a heartbeat that stopped long ago must not pass for one seen shortly before a disconnect.
        self.moved_at = sample.at if sample.at - before.at <= gap_s else before.at
        if before.boot_id != sample.boot_id:
            self.left_boots.add(before.boot_id)
            if sample.boot_id in self.left_boots:
                self.disputed_at = sample.at

    @property
    def disputed(self) -> bool:
        """Two hosts write this record; over once one of them alone has moved it for a while, never by silence."""
        if self.disputed_at is None or self.moved_at is None:
            return False
        return self.moved_at - self.disputed_at < DISPUTED_FOR_S

    def sight(self, *, now: float, stale_after_s: float, boot_id: str | None) -> HeartbeatSight:
        """Tell it in the protocol's words. With ``boot_id`` a record of another boot is *foreign*."""
        code, detail = self._doubt(now, stale_after_s, boot_id)
        good = self.good
        return HeartbeatSight(
            status=ReadingStatus.OK if code is None else ReadingStatus.UNKNOWN,
            code=code,
            detail=detail,
            boot_id=good.boot_id if good else "",
            counter=good.counter if good else 0,
            withdrawn=good.withdrawn if good else False,
            disputed=self.disputed,
            moved_age_s=_age(now, self.moved_at),
            sampled_age_s=_age(now, good.at if good else None),
            watched_for_s=max(0.0, now - self.since),
        )

    def _doubt(self, now: float, stale_after_s: float, boot_id: str | None) -> tuple[ReadingCode | None, str]:
        if self.last.code is not None:
            return self.last.code, self.last.detail
        if now - self.last.at > stale_after_s:
            return ReadingCode.TIMED_OUT, "not looked at lately"
        if boot_id is not None and self.last.boot_id != boot_id:
            return ReadingCode.FOREIGN, "the own record carries another boot"
        return None, ""


@dataclass(slots=True)
class PoolTrack:
    """All records of one pool. ``code`` is why the newest look at the pool told nothing."""

    root: str
    own_host_id: str
    boot_id: str
    stale_after_s: float
    code: ReadingCode | None = ReadingCode.OTHER
    detail: str = "not looked at yet"
    fs_type: str = ""
    options: str = ""
    source: str = ""
    tracks: dict[str, Track] = field(default_factory=dict)

    @property
    def known(self) -> list[str]:
        """Names to look at by name: the own record first."""
        return [self.own_host_id, *(name for name in self.tracks if name != self.own_host_id)]

    def mounted(self, mount: Mount | None) -> None:
        """Remember what the kernel says is mounted there: known of a pool that hangs or is refused, too."""
        known = (mount.fs_type, mount.options, mount.source) if mount else ("", "", "")
        self.fs_type, self.options, self.source = known

    def add(self, samples: Iterable[Sample]) -> None:
        """Take a successful look at the pool into account."""
        self.code, self.detail = None, ""
        for sample in samples:
            track = self.tracks.get(sample.name)
            if track is None:
                self.tracks[sample.name] = track = Track(sample.at, sample)
            track.add(sample, gap_s=self.stale_after_s)
            if _is_forgotten(track, sample.at):
                del self.tracks[sample.name]

    def fail(self, error: SeenNothingError) -> None:
        """Take a failed look at the pool into account: nothing in it is known now."""
        self.code, self.detail = error.code, error.detail

    def sight(self, *, now: float, only: str | None = None) -> PoolSight:
        """Tell it in the protocol's words; with ``only``, of the others just that host."""
        others = {
            name: self._sight(track, now)
            for name, track in self.tracks.items()
            if name != self.own_host_id and only in {None, name}
        }
        own = self.tracks.get(self.own_host_id)
        return PoolSight(
            root=self.root,
            status=ReadingStatus.OK if self.code is None else ReadingStatus.UNKNOWN,
            code=self.code,
            detail=self.detail,
            fs_type=self.fs_type,
            mount_options=self.options,
            mount_source=self.source,
            own=self._sight(own, now) if own else None,
            others=others,
        )

    def _sight(self, track: Track, now: float) -> HeartbeatSight:
        own = track.last.name == self.own_host_id
        sight = track.sight(now=now, stale_after_s=self.stale_after_s, boot_id=self.boot_id if own else None)
        if self.code is None:
            return sight
        doubt = {"status": ReadingStatus.UNKNOWN, "code": self.code, "detail": self.detail}
        return sight.model_copy(update=doubt)


def _age(now: float, then: float | None) -> float | None:
    return None if then is None else max(0.0, now - then)


def _is_forgotten(track: Track, now: float) -> bool:
    last_good = track.good.at if track.good else track.since
    return track.last.code is ReadingCode.MISSING and now - last_good > FORGET_AFTER_S
