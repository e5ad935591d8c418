"""Does another host's address answer? Asked by the controller of a witness, about a host that went silent.

Only a time-out or *host unreachable* is ``no_answer``. All that is this machine's own trouble (resolver, no route,
local firewall) is ``unknown`` (rule 3), and a mere TCP answer means that a kernel lives, whatever becomes of the TLS
handshake after it.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence

from pydantic import ValidationError

from shared.enums import Reach
from shared.protocol import Health, ReachResult, ReachTarget

_MAX_ANSWER = 64 * 1024
_CONNECT_SHARE = 0.7
"""Of the time; the rest is for the HTTP answer after a connect at the last moment."""
_KERNEL = {errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE}
_SILENCE = {errno.EHOSTUNREACH, errno.ETIMEDOUT}
_RANK = (Reach.AGENT_ANSWERED, Reach.KERNEL_ANSWERS, Reach.UNKNOWN, Reach.NO_ANSWER)


async def try_all(
    targets: Sequence[ReachTarget], *, within_s: float, trust: ssl.SSLContext | None = None
) -> list[ReachResult]:
    """Try every target at once; each yields one result within the time."""
    return list(await asyncio.gather(*(try_one(target, within_s=within_s, trust=trust) for target in targets)))


async def try_one(target: ReachTarget, *, within_s: float, trust: ssl.SSLContext | None = None) -> ReachResult:
    """Try one target; of a name with several addresses the strongest sign of life counts, and no doubt is lost.

    ``trust``: what a target with a ``tls_name`` is asked with; without it only its kernel can answer.
    """
    until = asyncio.get_running_loop().time() + within_s
    try:
        async with asyncio.timeout(within_s):
            addresses = await _resolve(target)
    except (OSError, TimeoutError, UnicodeError) as error:
        return _result(Reach.UNKNOWN, f"the name could not be resolved: {error}")
    results = await asyncio.gather(
        *(_try_address(family, address, target, trust, until) for family, address in addresses)
    )
    return min(results, key=lambda result: _RANK.index(result.outcome))


async def _try_address(
    family: int, address: str, target: ReachTarget, trust: ssl.SSLContext | None, until: float
) -> ReachResult:
    loop = asyncio.get_running_loop()
    connect_until = loop.time() + (until - loop.time()) * _CONNECT_SHARE
    try:
        async with asyncio.timeout_at(connect_until):
            reader, writer = await asyncio.open_connection(address, target.port, family=family)
    except TimeoutError:
        return _result(Reach.NO_ANSWER, "no answer to the connect")
    except OSError as error:
        return _connect_failed(error)
    try:
        async with asyncio.timeout_at(until):
            if target.tls_name:
                # Never together with the connect: a handshake that hangs is no silence.
                await _secure(writer, target.tls_name, trust)
            answer = await _get_health(reader, writer, address)
    except (OSError, TimeoutError) as error:
        return _result(Reach.KERNEL_ANSWERS, f"accepted, then: {str(error) or 'nothing in time'}")
    finally:
        writer.transport.abort()
    return _judge(answer)


async def _secure(writer: asyncio.StreamWriter, name: str, trust: ssl.SSLContext | None) -> None:
    """Speak TLS from here on, with somebody whose certificate is for ``name``. Raises an OSError otherwise."""
    if trust is None:
        raise OSError("this agent has no certificate to ask it with")
    await writer.start_tls(trust, server_hostname=name)


async def _get_health(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> bytes:
    host = f"[{address}]" if ":" in address else address
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    writer.write(request.encode("ascii"))
    await writer.drain()
    answer = b""
    while len(answer) < _MAX_ANSWER:
        chunk = await reader.read(_MAX_ANSWER)
        if not chunk:
            break
        answer += chunk
    return answer


def _judge(answer: bytes) -> ReachResult:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/1.") or status != [b"200"]:
        return _result(Reach.KERNEL_ANSWERS, "something else than an agent answered")
    try:
        health = Health.model_validate_json(body)
    except ValidationError:
        return _result(Reach.KERNEL_ANSWERS, "the answer is not an agent's")
    return ReachResult(outcome=Reach.AGENT_ANSWERED, host_id=health.host_id, boot_id=health.boot_id)


def _connect_failed(error: OSError) -> ReachResult:
    if error.errno in _KERNEL:
        return _result(Reach.KERNEL_ANSWERS, f"{error.strerror}")
    if error.errno in _SILENCE:
        return _result(Reach.NO_ANSWER, f"{error.strerror}")
    return _result(Reach.UNKNOWN, f"could not try: {error}")


async def _resolve(target: ReachTarget) -> list[tuple[int, str]]:
    try:
        literal = ipaddress.ip_address(target.address)
    except ValueError:
        return await _look_up(target)
    family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
    return [(family, target.address)]


async def _look_up(target: ReachTarget) -> list[tuple[int, str]]:
    """Resolve in a daemon thread: the loop's own pool would keep the process from ending while a resolver hangs."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[tuple[int, str]]] = loop.create_future()

    def settle(found: list[tuple[int, str]], error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)

    def work() -> None:
        found: list[tuple[int, str]] = []
        failure: OSError | UnicodeError | None = None
        try:
            rows = socket.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys((int(row[0]), str(row[4][0])) for row in rows))
        except (OSError, UnicodeError) as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, found, failure)
        except RuntimeError:  # the loop has closed meanwhile
            return

    threading.Thread(target=work, daemon=True, name="resolve").start()
    return await answer


def _result(outcome: Reach, detail: str) -> ReachResult:
    return ReachResult(outcome=outcome, detail=detail)
