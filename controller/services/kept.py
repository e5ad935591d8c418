"""A reading that costs something: made at most every so often, by one caller for all, and given up where it takes long.

So whoever may read figures can make the controller work only so much.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from controller.db.store import StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Kept(Generic[T]):
    """The newest reading. Seconds are of ``boottime``, a clock that is never set."""

    def __init__(
        self,
        make: Callable[[], Awaitable[T]],
        *,
        every_s: float,
        within_s: float,
        good_for_s: float,
        boottime: Callable[[], float],
    ) -> None:
        """``every_s``: how old it may get; ``within_s``: how long making it may take; ``good_for_s``: then dropped."""
        self._make = make
        self._every_s = every_s
        self._within_s = within_s
        self._good_for_s = good_for_s
        self._boottime = boottime
        self._value: T | None = None
        self._at = float("-inf")
        self._making: asyncio.Task[None] | None = None

    async def get(self, *, patience_s: float) -> T | None:
        """The reading, made anew where it is due; after ``patience_s`` the last one, as long as that is good."""
        if self._making is None and self._boottime() - self._at >= self._every_s:
            self._making = asyncio.create_task(self._anew())
        if self._making is not None:
            await asyncio.wait({self._making}, timeout=patience_s)
        return self._value if self._boottime() - self._at < self._good_for_s else None

    async def _anew(self) -> None:
        began = self._boottime()
        try:
            async with asyncio.timeout(self._within_s):
                self._value = await self._make()
            self._at = began
        except (StoreError, TimeoutError) as error:
            log.warning("figures could not be read", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("figures could not be read")
        finally:
            self._making = None
