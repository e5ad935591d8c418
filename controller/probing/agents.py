"""Speaks to probe agents over HTTP, or TLS once they have enrolled, in the domain's words.

Carries rule 3: an answer that is late, unsigned, foreign, of another protocol or to another question is a failure,
never a silence; a mere TCP answer is a living kernel, whatever becomes of the TLS handshake after it, and only a
time-out or *unreachable* is none.
"""

import asyncio
import errno
import ipaddress
import secrets
import ssl
import time
from collections.abc import Iterator
from typing import TypeVar

import httpx
from pydantic import ValidationError

from controller.domain.evidence import Report
from controller.domain.model import Host
from controller.domain.reasons import Reason
from controller.domain.watch import Seen
from controller.probing.base import Question
from controller.probing.clients import HostClients
from controller.probing.tls import NoTrustError, Progress, SecureClients, extensions
from controller.probing.translate import report_of, seen_of
from shared.enrolment import server_name
from shared.enums import PROTOCOL_VERSION, Reach
from shared.protocol import (
    SIGNATURE_HEADER,
    Answer,
    ProbeAnswer,
    ProbeRequest,
    ReachTarget,
    Request,
    WatchAnswer,
    WatchRequest,
    verify,
)

A = TypeVar("A", bound=Answer)

UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN})
"""Not ENETUNREACH: that may be this machine without a route, which tells nothing about the host."""

ANSWER_SHARE = 0.85
"""Of the deadline that the agent may use; the rest is the way."""

GRACE_S = 0.5
"""After the deadline, for the phase that ran into it to say which one it was; a trickled answer is cut off then."""


class AgentFault(Exception):  # noqa: N818 - a value that travels a few lines, not an API
    """Why an agent's answer is none."""

    def __init__(self, reach: Reach, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reach, self.reason, self.detail = reach, reason, detail


class HttpAgents:
    """Implements :class:`controller.probing.base.Probing`."""

    def __init__(self, *, secure: SecureClients | None = None) -> None:
        """``secure``: for hosts that have enrolled, closed by :meth:`aclose`; without it they cannot be asked."""
        self._secure = secure
        self._plain = HostClients()
        self._no_trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        """Trusts nobody and is never used: making none takes httpx longer than the request."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._plain.aclose()
        if self._secure is not None:
            await self._secure.aclose()

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        """See :class:`controller.probing.base.Probing`."""
        request = ProbeRequest(
            nonce=secrets.token_hex(16),
            deadline_s=deadline_s * ANSWER_SHARE,
            subject_host_id=question.subject.id,
            paths=list(question.paths),
            pool_roots=list(question.pool_roots),
            reach=[_target(question.subject)],
        )
        started = time.monotonic()
        try:
            answer = await self._post(witness, "/v1/probes", request, ProbeAnswer, deadline_s)
        except AgentFault as fault:
            return Report(witness_id=witness.id, failure=fault.reason, detail=fault.detail)
        return report_of(witness.id, question, answer, took_s=time.monotonic() - started)

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        """See :class:`controller.probing.base.Probing`."""
        request = WatchRequest(nonce=secrets.token_hex(16), deadline_s=deadline_s * ANSWER_SHARE)
        try:
            answer = await self._post(host, "/v1/watch", request, WatchAnswer, deadline_s)
        except AgentFault as fault:
            return Seen(host_id=host.id, reach=fault.reach, detail=fault.detail)
        return seen_of(host.id, answer)

    async def _post(self, host: Host, path: str, request: Request, kind: type[A], deadline_s: float) -> A:
        address = f"[{host.address}]" if ":" in host.address else host.address
        scheme = "https" if host.agent_tls else "http"
        progress = Progress()
        try:
            async with asyncio.timeout(deadline_s + GRACE_S) as limit:
                await _resolves(host.address, within_s=deadline_s / 2)
                client = await self._client_for(host)
                left = (limit.when() or 0.0) - GRACE_S - asyncio.get_running_loop().time()
                response = await client.post(
                    f"{scheme}://{address}:{host.agent_port}{path}",
                    content=request.model_dump_json(),
                    headers={
                        "Authorization": f"Bearer {host.agent_token}",
                        "Content-Type": "application/json",
                    },
                    timeout=left,
                    extensions=extensions(host, progress) if host.agent_tls else {},
                )
        except (httpx.HTTPError, TimeoutError) as error:
            if host.agent_tls and progress.accepted:
                raise _after_accept(error) from error
            if isinstance(error, httpx.HTTPError):
                raise _fault_of(error) from error
            raise AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, "no whole answer by the deadline") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            # An address or a token that no request can carry: this controller's own trouble.
            raise AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, f"could not be asked: {error}"[:200]) from error
        if response.status_code != httpx.codes.OK:
            reason = Reason.WITNESS_INCOMPATIBLE if response.status_code < 500 else Reason.WITNESS_SILENT
            # A process that answers HTTP on the agent's port is life of a kernel, whatever it says.
            raise AgentFault(Reach.KERNEL_ANSWERS, reason, f"HTTP {response.status_code}: {response.text[:200]}")
        return _checked(host, request, response, kind)

    async def _client_for(self, host: Host) -> httpx.AsyncClient:
        """Plain HTTP only for who has never enrolled: there is no way back (nobody in between may force one)."""
        if not host.agent_tls:
            return await self._plain.client_for(host, self._no_trust)
        if self._secure is None:
            raise AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, "the host has enrolled: it is asked over TLS only")
        try:
            return await self._secure.client_for(host)
        except NoTrustError as error:
            raise AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, str(error)) from error


def _target(subject: Host) -> ReachTarget:
    name = server_name(subject.id) if subject.agent_tls else ""
    return ReachTarget(address=subject.address, port=subject.agent_port, tls_name=name)


async def _resolves(address: str, *, within_s: float) -> None:
    """Raise unless the name resolves: otherwise a resolver that hangs looks like a host that does not answer."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        pass
    else:
        return
    try:
        async with asyncio.timeout(within_s):
            await asyncio.get_running_loop().getaddrinfo(address, None)
    except (OSError, UnicodeError) as error:
        msg = f"the name {address!r} could not be resolved: {error}"[:200]
        raise AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, msg) from error


def _checked(host: Host, request: Request, response: httpx.Response, kind: type[A]) -> A:
    """Signed with the host's token, to this question, by this host, in this protocol."""
    signature = response.headers.get(SIGNATURE_HEADER, "")
    if not verify(host.agent_token, request.nonce, response.content, signature):
        raise _incompatible("the answer is not signed for this question")
    try:
        answer = kind.model_validate_json(response.content)
    except ValidationError as error:
        msg = f"the answer cannot be read: {error.error_count()} faults"
        raise _incompatible(msg) from error
    if answer.protocol != PROTOCOL_VERSION or answer.nonce != request.nonce or answer.host_id != host.id:
        msg = f"answered as host {answer.host_id}, protocol {answer.protocol}"
        raise _incompatible(msg)
    return answer


def _incompatible(detail: str) -> AgentFault:
    return AgentFault(Reach.KERNEL_ANSWERS, Reason.WITNESS_INCOMPATIBLE, detail)


def _fault_of(error: httpx.HTTPError) -> AgentFault:
    detail = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, httpx.ConnectTimeout):
        return AgentFault(Reach.NO_ANSWER, Reason.WITNESS_SILENT, detail)
    if isinstance(error, httpx.PoolTimeout):
        return AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, detail)
    if isinstance(error, httpx.ConnectError):
        number = _errno(error)
        if number in UNREACHABLE:
            return AgentFault(Reach.NO_ANSWER, Reason.WITNESS_SILENT, detail)
        if number in (errno.ECONNREFUSED, errno.ECONNRESET):
            return AgentFault(Reach.KERNEL_ANSWERS, Reason.WITNESS_SILENT, detail)
        return AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, detail)
    # Connected, then nothing or a reset: over a kept-alive connection that proves no living kernel, so look again.
    return AgentFault(Reach.UNKNOWN, Reason.WITNESS_SILENT, detail)


def _after_accept(error: Exception) -> AgentFault:
    """Of an enrolled host that took the connection during this question: its kernel lives, whatever came then.

    A handshake that hangs is a *connect time-out* to httpx, and one that is refused a connect error with any errno.
    """
    tls = next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)
    reason = Reason.WITNESS_SILENT if tls is None else Reason.WITNESS_INCOMPATIBLE
    said = f"took the connection, then: {type(tls or error).__name__}: {tls or error}"
    return AgentFault(Reach.KERNEL_ANSWERS, reason, said[:200])


def _errno(error: BaseException) -> int | None:
    """The first errno among the causes."""
    return next((one.errno for one in _causes(error) if isinstance(one, OSError) and one.errno is not None), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from (httpx and anyio wrap it several times)."""
    seen: list[BaseException] = [error]
    while seen:
        one = seen.pop()
        yield one
        if isinstance(one, BaseExceptionGroup):
            seen.extend(one.exceptions)
        seen.extend(e for e in (one.__cause__, one.__context__) if e is not None)
