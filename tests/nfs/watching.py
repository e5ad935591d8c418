"""What one witness says through an outage of a storage server and after it, look by look."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.enums import ReadingStatus
from shared.protocol import FileReading, HeartbeatSight, PoolSight
from tests.nfs.lab import Counts, Host


@dataclass(frozen=True)
class Seen:
    """One look at everything; `at_s` counts from the outage's begin, or its end."""

    at_s: float
    readings: dict[str, FileReading]
    pools: dict[str, PoolSight]
    probe_took_s: float
    health_took_s: float
    counts: Counts


@dataclass
class Outage:
    """Looks through the witness's agent, and keeps what it saw."""

    witness: Host
    other: Host
    disks: dict[str, str]
    during: list[Seen] = field(default_factory=list)
    after: list[Seen] = field(default_factory=list)

    def begin(self) -> None:
        self._since = time.monotonic()
        self._kept = self.during

    def end(self) -> None:
        self._since = time.monotonic()
        self._kept = self.after

    @property
    def lasts_s(self) -> float:
        return time.monotonic() - self._since

    def look(self) -> Seen:
        begun = time.monotonic()
        answer = self.witness.probe(list(self.disks.values()), deadline_s=3.0)
        took = time.monotonic() - begun
        since = getattr(self, "_since", begun)
        seen = Seen(
            at_s=begun - since,
            readings=dict(zip(self.disks, answer.readings, strict=True)),
            pools=self.witness.watch(),
            probe_took_s=took,
            health_took_s=self.witness.health_took_s(),
            counts=self.witness.counts(),
        )
        getattr(self, "_kept", []).append(seen)
        return seen

    def watch_until_all_is_back(self, *, within_s: float) -> Seen:
        """Look until all disks are read and both heartbeats are seen moving on every pool."""
        while True:
            seen = self.look()
            if all(at is not None for times in self._returned().values() for at in times):
                return seen
            assert self.lasts_s < within_s, "\n".join(self.told_of_return())
            time.sleep(0.5)

    def told(self) -> Iterator[str]:
        for name in self.disks:
            codes: list[str] = []
            for seen in self.during:
                code = f"{seen.readings[name].code or 'ok'}"
                if not codes or codes[-1].split(" ")[0] != code:
                    codes.append(f"{code} from {seen.at_s:.0f} s")
            stale = [seen.at_s for seen in self.during if seen.pools[name].status is ReadingStatus.OK]
            last = f"; its pool was last told as known at {max(stale, default=0):.0f} s" if name != "elsewhere" else ""
            yield f"{name}: {', '.join(codes)}{last}"
        yield (
            f"probe answered within {max(seen.probe_took_s for seen in self.during):.1f} s (deadline 3), "
            f"/healthz within {max(seen.health_took_s for seen in self.during):.2f} s, "
            f"at most {max(seen.counts.on_one_mount for seen in self.during)} looker at a mount, "
            f"{max(seen.counts.processes for seen in self.during)} processes, "
            f"{max(seen.counts.descriptors for seen in self.during)} descriptors"
        )

    def told_of_return(self) -> Iterator[str]:
        for name, (disk, own, other) in self._returned().items():
            times = [f"{'not yet' if at is None else f'{at:.1f} s'}" for at in (disk, own, other)]
            yield f"{name}: disk read {times[0]}, own heartbeat moves {times[1]}, the other's {times[2]} after its end"
            yield f"    the other's, as told: {', '.join(self._ages(name))}"

    def _returned(self) -> dict[str, tuple[float | None, float | None, float | None]]:
        return {name: self._returned_on(name) for name in self.disks if name != "elsewhere"}

    def _returned_on(self, name: str) -> tuple[float | None, float | None, float | None]:
        disk = (seen.at_s for seen in self.after if seen.readings[name].code is None)
        own = (seen.at_s for seen in self.after if _moves(seen.pools[name].own))
        other = (seen.at_s for seen in self.after if _moves(self._sight(seen, name)))
        return next(disk, None), next(own, None), next(other, None)

    def _sight(self, seen: Seen, name: str) -> HeartbeatSight | None:
        return seen.pools[name].others.get(self.other.host_id)

    def _ages(self, name: str) -> Iterator[str]:
        """Its age whenever what is told of it changes between known and unknown, or it moved."""
        before: tuple[str, bool] | None = None
        for seen in self.after:
            sight = self._sight(seen, name)
            if sight is not None:
                told = (f"{sight.code or 'ok'}", _moves(sight))
                if told != before:
                    yield f"{seen.at_s:.1f} s {told[0]}, moved {sight.moved_age_s or 0:.0f} s ago"
                before = told


def _moves(sight: HeartbeatSight | None) -> bool:
    return (
        sight is not None
        and sight.status is ReadingStatus.OK
        and sight.moved_age_s is not None
        and sight.moved_age_s < 12
    )
