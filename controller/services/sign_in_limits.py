"""How often somebody may fail to sign in: per address, and per user name whatever the address. In this process.

Nobody is locked out for longer than the guessing lasts; who must get in meanwhile uses a token, which has no limit per
name: it has 256 random bits, and its limit per address only keeps the database free.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.services.errors import ServiceError

WINDOW_S = 60.0
PER_ADDRESS = 20
PER_NAME = 10
_KEYS = 10_000


class TooManyTries(ServiceError):  # noqa: N818 - reads as what it is
    """Wait ``wait_s`` seconds."""

    status = 429
    title = "Too many tries"

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many failed tries; wait {wait_s:.0f} s and try again", code="too_many_tries")
        self.wait_s = wait_s


@dataclass(slots=True)
class SignInLimits:
    """``now``: seconds of a clock that is never set."""

    now: Callable[[], float]
    _tries: "OrderedDict[tuple[str, str], deque[float]]" = field(default_factory=OrderedDict)

    def begin(self, *, address: str, name: str = "") -> "Try":
        """Count a try before its outcome is known, so that many at once do not slip through.

        Raises:
            TooManyTries: nothing is counted then.
        """
        keys = [(("address", address), PER_ADDRESS), *([(("name", name.casefold()), PER_NAME)] if name else [])]
        now = self.now()
        waits = [self._wait_s(key, most, now) for key, most in keys]
        if any(waits):
            raise TooManyTries(max(1.0, *waits))
        for key, _ in keys:
            self._queue(key).append(now)
        return Try(self, tuple(key for key, _ in keys), now)

    def forget(self) -> None:
        """As if nobody had tried."""
        self._tries.clear()

    def take_back(self, key: tuple[str, str], at: float) -> None:
        """One that succeeded was no failure."""
        if key in self._tries and at in self._tries[key]:
            self._tries[key].remove(at)

    def _wait_s(self, key: tuple[str, str], most: int, now: float) -> float:
        tries = self._queue(key)
        while tries and now - tries[0] >= WINDOW_S:
            tries.popleft()
        return tries[-most] + WINDOW_S - now if len(tries) >= most else 0.0

    def _queue(self, key: tuple[str, str]) -> deque[float]:
        tries = self._tries.setdefault(key, deque())
        self._tries.move_to_end(key)
        if len(self._tries) > _KEYS:
            self._tries.popitem(last=False)
        return tries


@dataclass(frozen=True, slots=True)
class Try:
    """One try under way: a failure until :meth:`succeeded`."""

    limits: SignInLimits
    keys: tuple[tuple[str, str], ...]
    at: float

    def succeeded(self) -> None:
        """It does not count."""
        for key in self.keys:
            self.limits.take_back(key, self.at)
