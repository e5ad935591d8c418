"""One HTTP client a host: a host that swallows connections makes nobody wait but itself.

One pool for all would run full of connects to dead hosts, in the very minute in which everybody's answer counts; and
httpx's pool looks through all its connections for each request.
"""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from controller.domain.model import Host

CONNECTIONS_A_HOST = 32
"""At once: incidents beside each other ask the same witness. More than these wait for each other, and nobody else."""

RETIRED_FOR_S = 300.0
"""A client that is not used any more may still be in the middle of an answer for this long."""


UNUSED_FOR_S = 600.0
"""A host that was not asked for so long is gone: without this each one that was ever deleted would keep its sockets."""
_SWEPT_EVERY_S = 60.0


@dataclass(slots=True)
class _Client:
    place: tuple[str, int]
    context: ssl.SSLContext
    client: httpx.AsyncClient
    used_at: float


class HostClients:
    """A client for each host, kept while its address and what is trusted stay the same."""

    def __init__(self, *, limit: int = CONNECTIONS_A_HOST, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``limit``: connections to one host at once."""
        self._limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
        self._monotonic = monotonic
        self._clients: dict[str, _Client] = {}
        self._retired: list[tuple[float, httpx.AsyncClient]] = []
        self._swept_at = monotonic()

    async def client_for(self, host: Host, context: ssl.SSLContext) -> httpx.AsyncClient:
        """The client for this host at this address, which trusts as ``context`` says."""
        now = self._monotonic()
        known = self._clients.get(host.id)
        if known is None or known.place != (host.address, host.agent_port) or known.context is not context:
            if known is not None:
                self._retired.append((now, known.client))
            client = httpx.AsyncClient(verify=context, limits=self._limits, trust_env=False)
            known = _Client((host.address, host.agent_port), context, client, now)
            self._clients[host.id] = known
        known.used_at = now
        await self._sweep(now)
        return known.client

    async def aclose(self) -> None:
        """Close every connection."""
        for known in self._clients.values():
            await known.client.aclose()
        for _, client in self._retired:
            await client.aclose()

    async def _sweep(self, now: float) -> None:
        if now - self._swept_at < _SWEPT_EVERY_S:
            return
        self._swept_at = now
        unused = [host_id for host_id, known in self._clients.items() if now - known.used_at > UNUSED_FOR_S]
        over = [self._clients.pop(host_id).client for host_id in unused]
        over += [client for at, client in self._retired if now - at > RETIRED_FOR_S]
        self._retired = [(at, client) for at, client in self._retired if now - at <= RETIRED_FOR_S]
        for client in over:
            await client.aclose()
