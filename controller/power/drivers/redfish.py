"""The ``redfish`` power driver: a System of a Redfish service, over HTTPS, one short session for each operation.

Implements :class:`controller.power.base.PowerDriver`. Plug: the System's id. Options: ``tls`` = verify (default),
insecure, plain; ``tls_ca`` = trusted certificates in PEM. docs/decisions/0007 says why it has a client of its own.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.logs import quiet_http
from controller.power.drivers.redfish_answers import Answer, RedfishFault
from controller.power.drivers.redfish_session import RedfishSession
from controller.power.drivers.redfish_system import System, find_system, read_system, reset_of
from controller.power.drivers.redfish_tls import trust

_RESETS: Mapping[PowerAction, tuple[str, ...]] = {
    PowerAction.OFF: ("ForceOff",),  # never GracefulShutdown: a hung guest would never follow
    PowerAction.ON: ("On", "ForceOn"),
    PowerAction.REBOOT: ("ForceRestart",),
}
_LIGHTS: Mapping[PowerAction, bool] = {PowerAction.BLINK: True, PowerAction.BLINK_OFF: False}
_ENDS: Mapping[PowerAction, PowerState] = {PowerAction.OFF: PowerState.OFF, PowerAction.ON: PowerState.ON}
_TLS = ("verify", "insecure", "plain")
_FAREWELL_S = 0.5  # beyond the deadline, for logging out
_IN_USE = ("ResourceInUse", "ServiceTemporarilyUnavailable")


class RedfishDriver:
    """One client for each operation: nothing of a device outlives it."""

    def __init__(
        self,
        *,
        allow_plain: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        boottime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        """``allow_plain``: ``tls`` = plain sends passwords unprotected, so only a lab allows it."""
        self._allow_plain = allow_plain
        self._sleep = sleep
        self._boottime = boottime
        self._limits: set[asyncio.Timeout] = set()
        self._running = 0
        self._idle = asyncio.Event()
        self._closed = False

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """Read the System's power state once."""
        began = time.monotonic()
        try:
            session = self._session(target)
            async with self._open(session, deadline_s):
                reading = (await find_system(session, target.plug)).reading()
                said = session.tell(reading.said)
        except RedfishFault as fault:
            return PowerReading(
                state=PowerState.UNKNOWN, code=fault.code, said=fault.said, took_s=time.monotonic() - began
            )
        return PowerReading(state=reading.state, code=reading.code, said=said, took_s=time.monotonic() - began)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """A login and a read: there is nothing else to try."""
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """Send one command, once. Raises ``ValueError`` for ``test`` and ``status``, which are no commands."""
        began = time.monotonic()
        if action not in _RESETS and action not in _LIGHTS:
            raise ValueError(f"{action} is a read: use status()")
        fate, code, said = Accepted.NOT_SENT, PowerCode.NONE, ""
        session: RedfishSession | None = None
        try:
            session = self._session(target)
            async with self._open(session, deadline_s):
                system = await find_system(session, target.plug)
                if action in _LIGHTS:
                    answer = await _switch_light(session, system, lit=_LIGHTS[action], not_after=not_after)
                else:
                    answer = await _reset(session, system, action, not_after=not_after)
                fate, code, said = await _judge(session, system, action, answer)
        except RedfishFault as fault:
            fate, code, said = session.fate if session else Accepted.NOT_SENT, fault.code, fault.said
        return Outcome(accepted=fate, code=code, said=said, took_s=time.monotonic() - began)

    async def aclose(self) -> None:
        """Cut short what is running, which ends as if its deadline had come, and wait for its farewells."""
        self._closed = True
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        if self._running:
            await self._idle.wait()

    def _session(self, target: BmcTarget) -> RedfishSession:
        """A session that is not open yet. What can't work is a :class:`RedfishFault`."""
        if self._closed:
            raise RuntimeError("the redfish driver is closed")
        options = dict(target.options)
        tls, ca = options.get("tls", _TLS[0]), options.get("tls_ca", "")
        if not target.address:
            raise RedfishFault(PowerCode.NOT_CONFIGURED, "no address")
        if tls not in _TLS:
            raise RedfishFault(PowerCode.NOT_CONFIGURED, f"ipmi.tls must be one of {', '.join(_TLS)}")
        if tls == "plain" and not self._allow_plain:
            raise RedfishFault(PowerCode.NOT_CONFIGURED, "ipmi.tls is plain, which only a lab allows")
        try:
            context = None if tls == "plain" else trust(ca, verify=tls == "verify")
        except ValueError as error:
            raise RedfishFault(PowerCode.NOT_CONFIGURED, f"ipmi.tls_ca {error}") from error
        return RedfishSession(target, context, sleep=self._sleep, boottime=self._boottime)

    @contextlib.asynccontextmanager
    async def _open(self, session: RedfishSession, deadline_s: float) -> AsyncIterator[None]:
        """Log in, stay within the deadline, log out. A deadline that comes is a :class:`RedfishFault`."""
        self._running += 1
        self._idle.clear()
        limit = asyncio.timeout(deadline_s)
        try:
            with quiet_http():
                try:
                    async with limit:
                        self._limits.add(limit)
                        await session.open()
                        yield
                except TimeoutError as error:
                    raise session.trouble or _too_slow(session) from error
                finally:
                    self._limits.discard(limit)
                    await _farewell(session)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()


async def _farewell(session: RedfishSession) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            await session.aclose()


def _too_slow(session: RedfishSession) -> RedfishFault:
    if not session.heard:
        return RedfishFault(PowerCode.NO_ANSWER, "no answer before the deadline")
    if session.fate is Accepted.UNKNOWN:
        return RedfishFault(PowerCode.TIMED_OUT, "the command was sent and not answered")
    return RedfishFault(PowerCode.TIMED_OUT, "not done before the deadline")


async def _reset(session: RedfishSession, system: System, action: PowerAction, *, not_after: float) -> Answer:
    path, kinds = await reset_of(session, system)
    wanted = _RESETS[action]
    if not path:
        raise RedfishFault(PowerCode.UNSUPPORTED, "the System has no reset action")
    kind = next((one for one in wanted if kinds is None or one in kinds), None)
    if kind is None:
        said = f"the System takes no {' or '.join(wanted)}; it takes {', '.join(kinds or ()) or 'nothing'}"
        raise RedfishFault(PowerCode.UNSUPPORTED, session.tell(said))
    return await session.command("POST", path, {"ResetType": kind}, not_after=not_after)


async def _switch_light(session: RedfishSession, system: System, *, lit: bool, not_after: float) -> Answer:
    """Change the light; once more with a fresh tag when the device says that the first one was missing or old."""
    change = system.light(lit=lit)
    if not change:
        raise RedfishFault(PowerCode.UNSUPPORTED, "the System has no light to blink")
    answer = await session.command("PATCH", system.path, change, not_after=not_after, etag=system.etag)
    if answer.status not in (412, 428):
        return answer
    again = await read_system(session, system.path)
    # Some services turn down the very tag they gave.
    etag = again.etag if again.etag != system.etag else "*"
    return await session.command("PATCH", system.path, change, not_after=not_after, etag=etag or "*")


async def _judge(
    session: RedfishSession, system: System, action: PowerAction, answer: Answer
) -> tuple[Accepted, PowerCode, str]:
    """What an answer to a command means."""
    fate = session.fate
    if answer.good:
        return fate, PowerCode.NONE, "taken as a task" if answer.status == 202 else ""
    fault = session.refusal(answer)
    code = PowerCode.UNSUPPORTED if answer.status == 501 else fault.code
    if set(_IN_USE) & set(answer.message_ids):
        code = PowerCode.BUSY
    if answer.status not in (400, 409) or action not in _ENDS:
        return fate, code, fault.said
    try:
        now = (await read_system(session, system.path)).reading()
    except RedfishFault as unread:
        return fate, code, session.tell(f"{fault.said}; then: {unread.said}")
    if now.state is _ENDS[action]:
        return Accepted.YES, PowerCode.NONE, session.tell(f"already {now.state} ({fault.said})")
    return fate, code, session.tell(f"{fault.said}; {now.said or f'PowerState {now.state}'}")
