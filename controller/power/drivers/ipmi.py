"""The ``ipmi`` power driver: IPMI 2.0 over the network, each operation in a process of its own.

Implements :class:`controller.power.base.PowerDriver`. Option: ``privilege`` = user, operator (default), administrator.
"""

import asyncio
import time
from collections.abc import Mapping

from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.power.drivers.ipmi_nursery import Ending, Nursery, Step

_VERBS: Mapping[PowerAction, str] = {
    PowerAction.OFF: "off",
    PowerAction.ON: "on",
    PowerAction.REBOOT: "reboot",
    PowerAction.BLINK: "blink",
    PowerAction.BLINK_OFF: "blink_off",
}
_PRIVILEGES = ("user", "operator", "administrator")
_DEFAULT_PRIVILEGE = "operator"
_USERNAME_BYTES, _PASSWORD_BYTES = 16, 20  # IPMI 2.0; a BMC compares a longer password cut off: a bad login


class IpmiDriver:
    """Bounded numbers of disposable worker processes; commands have their own share, so that reads never delay them."""

    def __init__(self, *, read_workers: int = 192, command_workers: int = 64) -> None:
        self._read_slots = asyncio.Semaphore(read_workers)
        self._command_slots = asyncio.Semaphore(command_workers)
        self._nursery: Nursery | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """Read the chassis power state once."""
        began = time.monotonic()
        if remedy := _unusable(target):
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.NOT_CONFIGURED, said=remedy)
        ending = await self._perform(self._read_slots, _job(target, "status"), until=began + deadline_s)
        return PowerReading(
            state=PowerState(ending.words.get("state", PowerState.UNKNOWN)),
            code=_code(ending),
            said=ending.words.get("said", ""),
            took_s=time.monotonic() - began,
        )

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """A login and a read: there is nothing else to try."""
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """Send one command, once. Raises ``ValueError`` for ``test`` and ``status``, which are no commands."""
        began = time.monotonic()
        if action not in _VERBS:
            raise ValueError(f"{action} is a read: use status()")
        if remedy := _unusable(target):
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.NOT_CONFIGURED, said=remedy)
        job = {**_job(target, _VERBS[action]), "not_after": not_after}
        ending = await self._perform(self._command_slots, job, until=began + deadline_s)
        return Outcome(
            accepted=Accepted(ending.words.get("accepted", ending.step.accepted)),
            code=_code(ending),
            said=ending.words.get("said", ""),
            took_s=time.monotonic() - began,
        )

    async def aclose(self) -> None:
        """End every worker process; calls in flight end as if their worker had died."""
        self._closed = True
        async with self._starting:
            nursery, self._nursery = self._nursery, None
            if nursery is not None:
                await nursery.aclose()

    async def _perform(self, slots: asyncio.Semaphore, job: Mapping[str, object], *, until: float) -> Ending:
        if self._closed:
            raise RuntimeError("the ipmi driver is closed")
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await slots.acquire()
        except TimeoutError:
            words = {"code": PowerCode.TIMED_OUT, "said": "no free worker before the deadline"}
            return Ending(step=Step.WAITING, words=words)
        try:
            nursery = await self._living_nursery()
            return await nursery.run(job, until=until)
        except OSError as error:  # the machine has no process or descriptor left
            words = {"code": PowerCode.DRIVER_FAILED, "said": f"no worker: {error}"}
            return Ending(step=Step.WAITING, words=words)
        finally:
            slots.release()

    async def _living_nursery(self) -> Nursery:
        async with self._starting:
            if self._nursery is None or not self._nursery.alive:
                if self._nursery is not None:
                    await self._nursery.aclose()
                self._nursery = await Nursery.start()
            return self._nursery


def _job(target: BmcTarget, verb: str) -> dict[str, object]:
    return {
        "verb": verb,
        "address": target.address,
        "port": target.port,
        "username": target.username,
        "password": target.password,
        "privilege": _privilege(target),
    }


def _privilege(target: BmcTarget) -> str:
    return dict(target.options).get("privilege", _DEFAULT_PRIVILEGE)


def _unusable(target: BmcTarget) -> str:
    """What makes this target impossible, or an empty string. Trying it would be a failed login towards a lock-out."""
    if _privilege(target) not in _PRIVILEGES:
        return f"privilege must be one of {', '.join(_PRIVILEGES)}"
    if not target.address:
        return "no address"
    if len(target.username.encode()) > _USERNAME_BYTES:
        return f"IPMI user names have at most {_USERNAME_BYTES} bytes"
    if len(target.password.encode()) > _PASSWORD_BYTES:
        return f"IPMI passwords have at most {_PASSWORD_BYTES} bytes"
    return ""


def _code(ending: Ending) -> PowerCode:
    """A worker killed at its deadline before the session was open met a device that does not answer."""
    if ending.gone == "deadline":
        return PowerCode.NO_ANSWER if ending.step is Step.WAITING else PowerCode.TIMED_OUT
    if ending.gone:
        return PowerCode.DRIVER_FAILED
    return PowerCode(ending.words.get("code", PowerCode.MALFORMED))
