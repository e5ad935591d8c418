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


@dataclass(frozen=True, slots=True)
class _Client:
    place: tuple[str, int]
    context: ssl.SSLContext
    client: httpx.AsyncClient


class HostClients:
    """A client for each host, kept while its address and what is trusted stay the same."""

    def __init__(self, *, limit: int = CONNECTIONS_A_HOST, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``limit``: connections to one host at once."""
        self._limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
        self._monotonic = monotonic
        self._clients: dict[str, _Client] = {}
        self._retired: list[tuple[float, httpx.AsyncClient]] = []

    async def client_for(self, host: Host, context: ssl.SSLContext) -> httpx.AsyncClient:
        """The client for this host at this address, which trusts as ``context`` says."""
        await self._close_retired()
        place = (host.address, host.agent_port)
        known = self._clients.get(host.id)
        if known is not None and known.place == place and known.context is context:
            return known.client
        if known is not None:
            self._retired.append((self._monotonic(), known.client))
        client = httpx.AsyncClient(verify=context, limits=self._limits, trust_env=False)
        self._clients[host.id] = _Client(place, context, client)
        return client

    async def aclose(self) -> None:
        """Close every connection."""
        for known in self._clients.values():
            await known.client.aclose()
        for _, client in self._retired:
            await client.aclose()

    async def _close_retired(self) -> None:
        now = self._monotonic()
        over = [client for at, client in self._retired if now - at > RETIRED_FOR_S]
        self._retired = [(at, client) for at, client in self._retired if now - at <= RETIRED_FOR_S]
        for client in over:
            await client.aclose()
