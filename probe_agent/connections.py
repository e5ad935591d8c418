"""Connections that ask nothing: ended after a while, and sooner where there are many, so that nobody can hold them all.

Whoever reaches the port can open connections, without a token; with all of a process's files taken by them an agent
neither answers nor watches. A request that has begun is never touched.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_WITHIN_S = 10.0
"""From the beginning of a connection, or from the end of the last answer, to the last byte of a request's head."""
MOST = 256
"""Connections at once: more than controllers and neighbors have, and a quarter of the files of a process."""
ACCEPTED_AT_ONCE = 64
"""Before the next look at how many there are."""


class Connection(H11Protocol):
    """uvicorn's, which waits for ever for a first request."""

    quiet_since = 0.0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override, explicit-override]
        """Begin; where there are too many, the one that has been quiet for longest makes room."""
        super().connection_made(transport)
        self._wait_for_a_request()
        if len(self.connections) > MOST:
            quiet = [other for other in self.connections if isinstance(other, Connection) and other.is_quiet]
            if quiet:
                min(quiet, key=lambda other: other.quiet_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]
        """End."""
        self._wait_no_more()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:  # type: ignore[explicit-override]
        """Wait for the next request, on a connection that is kept."""
        super().on_response_complete()
        self._wait_for_a_request()

    @property
    def is_quiet(self) -> bool:
        """Open, and no request is being read or answered, but for a head that is not whole."""
        cycle: RequestResponseCycle | None = self.cycle
        return (cycle is None or cycle.response_complete) and not self.transport.is_closing()

    def _wait_for_a_request(self) -> None:
        self._wait_no_more()
        self.quiet_since = self.loop.time()
        self._patience = self.loop.call_later(REQUEST_WITHIN_S, self._end_if_quiet)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _end_if_quiet(self) -> None:
        if self.is_quiet:
            self.transport.abort()
