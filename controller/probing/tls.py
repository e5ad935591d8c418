"""Speaks TLS with enrolled agents: one client a host, which takes that host's certificate and no other's.

A connection is never shared between hosts, also where an address went from one to the other: whoever has host A's key
cannot answer for host B.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import httpx

from controller.domain.enrolment import Authority
from controller.domain.model import Host
from controller.probing.authority import make_controller_pair
from controller.probing.clients import CONNECTIONS_A_HOST, HostClients
from shared.enrolment import server_name

ReadAuthority = Callable[[], Awaitable[tuple[Authority | None, datetime]]]
"""The authority as it is stored (None: nobody has ever enrolled), and what time it is. Raises :class:`NoTrustError`."""

RENEWED_AFTER_S = timedelta(days=1).total_seconds()
"""Long before the controller's certificate ends: a clock set by a day may not matter."""


class NoTrustError(Exception):
    """An enrolled host cannot be asked: the authority cannot be read, or is not there (a database changed by hand)."""


class SecureClients:
    """The clients for enrolled hosts; the controller's own certificate is made here and lies in memory only."""

    def __init__(
        self,
        read_authority: ReadAuthority,
        *,
        limit: int = CONNECTIONS_A_HOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``limit``: connections to one host at once."""
        self._read_authority = read_authority
        self._monotonic = monotonic
        self._making = asyncio.Lock()
        self._context: tuple[ssl.SSLContext, float] | None = None
        self._clients = HostClients(limit=limit, monotonic=monotonic)

    async def client_for(self, host: Host) -> httpx.AsyncClient:
        """The client for this host at this address. Raises :class:`NoTrustError`."""
        return await self._clients.client_for(host, await self._trust())

    async def aclose(self) -> None:
        """Close every connection."""
        await self._clients.aclose()

    async def _trust(self) -> ssl.SSLContext:
        async with self._making:  # two at once would throw each other's clients away
            if self._context is not None and self._monotonic() - self._context[1] < RENEWED_AFTER_S:
                return self._context[0]
            authority, now = await self._read_authority()
            if authority is None:
                raise NoTrustError("the host has enrolled, but the database holds no certificate authority")
            context = client_context(authority, now=now)
            self._context = (context, self._monotonic())
            return context


def client_context(authority: Authority, *, now: datetime) -> ssl.SSLContext:
    """Trusts this authority alone, asks for the name in each certificate, and shows a fresh one of the controller."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.certificate)
    # The ssl module reads files only: this one lies in memory and is gone when it is closed.
    file = os.memfd_create("hostfence-client")
    try:
        os.write(file, make_controller_pair(authority, now=now).encode())
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    return context


class Progress:
    """How far a request came, by httpcore's trace: after a time-out in the handshake httpx says *connect time-out*."""

    def __init__(self) -> None:
        self.accepted = False

    async def __call__(self, event: str, info: object) -> None:
        """Called for every event of the request."""
        del info
        if event == "connection.connect_tcp.complete":
            self.accepted = True


def extensions(host: Host, progress: Progress) -> dict[str, object]:
    """What a request to an enrolled host carries: the name its certificate must have, and who follows it."""
    return {"sni_hostname": server_name(host.id), "trace": progress}
