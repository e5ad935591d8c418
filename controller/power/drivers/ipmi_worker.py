"""The process side of the ``ipmi`` driver: one forked child per BMC operation; the only home of pyghmi.

Run as a script (``python -I ipmi_worker.py``), never imported by the controller. It reads jobs as JSON lines on stdin,
forks a child for each, kills the child at the job's deadline, and passes answers on as JSON lines on stdout. pyghmi
1.6.19 keeps sessions and a thread in module globals, caches broken sessions and deadlocks beyond ~64 concurrent dead
BMCs: a process that does one operation and ends cannot have any of it. Forking is also cheap: starting an interpreter
with pyghmi takes 100 ms.
"""

import ctypes
import gc
import hashlib
import hmac
import json
import math
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.private import session as pyghmi_session
from pyghmi.ipmi.private.util import get_ipmi_error

Answer = dict[str, str]

_PR_SET_PDEATHSIG = 1
_SAID_LIMIT = 300  # keeps a line below PIPE_BUF, so that lines of several children never mix
_FAREWELL_S = 0.25  # kept back from the deadline for the logout: BMCs have few session slots

_PRIVILEGES = {"user": 2, "operator": 3, "administrator": 4}
# netfn 0 (chassis): command 2 is chassis control, 4 identify (0 s = off; second byte 1 = until told otherwise)
_VERBS = {
    "off": (2, (0,)),
    "on": (2, (1,)),
    "reboot": (2, (3,)),
    "blink": (4, (0, 1)),
    "blink_off": (4, (0,)),
}
# Completion codes, IPMI 2.0 table 5-2. After those in _UNCLEAR the command may have been carried out all the same.
_COMPLETION = {
    0xC0: "busy",
    0xC1: "unsupported",
    0xC2: "unsupported",
    0xC3: "timed_out",
    0xC7: "unsupported",
    0xCC: "unsupported",
    0xD1: "busy",
    0xD2: "busy",
    0xFFFF: "timed_out",
}
_UNCLEAR = (0xC3, 0xCE, 0xCF, 0xFF, 0xFFFF)
_WRONG_USER, _WRONG_PASSWORD = "it does not know this user", "the password is wrong"
_NO_PRIVILEGE = "the user may not ask for the privilege level that ipmi.privilege names"
# pyghmi gives the reasons of a failed login as text only; the first that fits counts. With it, what people are told.
_LOGIN = (
    ("Node Busy", "busy", "it is busy"),
    ("BMC initialization", "busy", "it is still starting"),
    ("Insufficient resources", "sessions_exhausted", "it has no session left; others may keep theirs open"),
    ("timeout", "no_answer", "no answer"),
    ("None", "no_answer", "no answer"),  # pyghmi gave up after some 5 s and leaves its error message unset
    ("Incorrect password", "bad_credentials", _WRONG_PASSWORD),
    ("Invalid integrity check value", "bad_credentials", _WRONG_PASSWORD),
    ("Unauthorized name", "bad_credentials", _WRONG_USER),
    ("Invalid username", "bad_credentials", _WRONG_USER),
    ("Unauthorized GUID", "bad_credentials", _WRONG_USER),
    ("Unauthorized role", "bad_credentials", _NO_PRIVILEGE),
    ("Invalid role", "bad_credentials", _NO_PRIVILEGE),
    ("requesting privelege", "bad_credentials", _NO_PRIVILEGE),  # sic
    ("algorithm", "unsupported", "it shares no cipher suite with hostfence"),
    ("MD5 required", "unsupported", "it shares no cipher suite with hostfence"),
)

# An ASF presence ping. What answers it is not looked at: a port without a listener is what it finds out.
_PING = bytes.fromhex("0600ff06000011be80000000")
_PING_AFTER_S = 0.25  # of silence: a device that answers is never pinged
_PINGS_REFUSED = 2  # one refusal may be a stray packet's


class _NotListeningError(Exception):
    """The machine at the address says that nothing listens on the port."""


def operate(job: dict[str, Any], note: Callable[[str], None]) -> Answer:
    """Log in, do one thing, log out. ``note`` tells the controller how far it got, before each step with an effect."""
    _Doorbell.of(job)
    try:
        session = pyghmi_session.Session(
            bmc=job["address"],
            userid=job["username"].encode(),  # bytes: with str a broken session stays behind (pyghmi)
            password=job["password"].encode(),
            port=job["port"],
            privlevel=_PRIVILEGES[job["privilege"]],
        )
    except IpmiException as error:
        return _failed_login(str(error))
    except _NotListeningError:
        return {"code": "not_listening", "said": f"a machine is there, but nothing listens on UDP port {job['port']}"}
    except OSError as error:  # the name does not resolve
        return {"code": "no_answer", "said": str(error)}
    finally:
        _Doorbell.put_away()
    note("open")
    try:
        if job["verb"] == "status":
            return _read_state(session)
        return _command(session, job, note)
    finally:
        session.incommand = False  # else the logout waits for an answer that is not coming
        with suppress(Exception):
            session.logout()


def _failed_login(said: str) -> Answer:
    code, own = next(((code, own) for words, code, own in _LOGIN if words in said), ("refused", ""))
    return {"code": code, "said": own if code == "no_answer" else f"{own} ({said})" if own else said}


def _read_state(session: Any) -> Answer:
    try:
        response = session.raw_command(netfn=0, command=1)
    except IpmiException as error:
        return {"code": "timed_out", "said": str(error)}
    if response["code"]:
        return {"code": _COMPLETION.get(response["code"], "refused"), "said": _words(response)}
    if not response["data"]:
        return {"code": "malformed", "said": "chassis status without data"}
    return {"code": "none", "state": "on" if response["data"][0] & 1 else "off"}


def _command(session: Any, job: dict[str, Any], note: Callable[[str], None]) -> Answer:
    """Send one command exactly once: with ``retry`` pyghmi would send it again after 0.5 s without an answer."""
    command, data = _VERBS[job["verb"]]
    answers: list[dict[str, Any]] = []
    note("sending")
    if time.clock_gettime(time.CLOCK_BOOTTIME) > job["not_after"]:
        return {"code": "stalled", "accepted": "not_sent", "said": "too late: nothing was sent"}
    session.raw_command(netfn=0, command=command, data=data, retry=False, callback=answers.append)
    while not answers and (left := job["until"] - _FAREWELL_S - time.monotonic()) > 0:
        pyghmi_session.Session.wait_for_rsp(timeout=left)
    if not answers:
        return {"code": "timed_out", "said": "the command was sent and not answered"}
    return _verdict(answers[0])


def _verdict(response: dict[str, Any]) -> Answer:
    code = response["code"]
    if code == 0:
        return {"code": "none", "accepted": "yes"}
    accepted = "unknown" if code in _UNCLEAR else "no"
    return {
        "code": _COMPLETION.get(code, "refused"),
        "accepted": accepted,
        "said": _words(response),
    }


def _words(response: dict[str, Any]) -> str:
    return f"{get_ipmi_error(response)} ({response['code']:#x})"


class _Doorbell:
    """Asks a device that stays silent in the login whether anybody lives at its port: nobody says so at once.

    pyghmi's own sockets do not hear that (they are not connected). Who waits for a login waits for this too.
    """

    current: ClassVar["_Doorbell | None"] = None

    def __init__(self, found: tuple[Any, ...]) -> None:
        family, kind, protocol, _, self._address = found
        self.socket = socket.socket(family, kind, protocol)
        self.socket.setblocking(False)
        self._refused = 0
        self._ring_at = time.monotonic() + _PING_AFTER_S

    @classmethod
    def of(cls, job: dict[str, Any]) -> None:
        """For this login; where the name does not resolve or no socket is left, there is none."""
        with suppress(OSError):
            cls.current = cls(socket.getaddrinfo(job["address"], job["port"], 0, socket.SOCK_DGRAM)[0])

    @classmethod
    def put_away(cls) -> None:
        """The login is over."""
        if cls.current is not None:
            cls.current.socket.close()
            cls.current = None

    def patience(self, timeout: float) -> float:
        """How long may be waited before it is to be rung."""
        return max(0.0, min(timeout, self._ring_at - time.monotonic()))

    def attend(self) -> None:
        """Ring when it is time; raise :class:`_NotListeningError` when nobody lives there."""
        try:
            if time.monotonic() >= self._ring_at:
                self._ring_at = time.monotonic() + _PING_AFTER_S
                self.socket.connect(self._address)
                self.socket.send(_PING)
            self.socket.recv(64)
        except ConnectionRefusedError:
            self._refused += 1
            if self._refused >= _PINGS_REFUSED:
                raise _NotListeningError from None
        except OSError:  # nothing to read, or no way there: silence is what it is
            return
        else:
            self._ring_at = math.inf  # somebody is there


@dataclass(slots=True)
class _Child:
    job_id: int
    pid: int
    until: float
    killed: bool = False

    def kill(self) -> None:
        """Safe against reuse of the pid: only the nursery reaps, and it forgets the child when it does."""
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)


class _Nursery:
    """Forks a child per job and buries it. Single-threaded: forking stays harmless. Lives until stdin closes."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._children: dict[int, _Child] = {}
        self._rest = b""

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._patience()):
                if key.fd != 0:
                    self._bury(key.fd)
                elif not self._take_jobs():
                    return
            now = time.monotonic()
            for child in self._children.values():
                if child.until <= now and not child.killed:
                    child.kill()

    def _patience(self) -> float | None:
        pending = [child.until for child in self._children.values() if not child.killed]
        return max(0.0, min(pending) - time.monotonic()) if pending else None

    def _take_jobs(self) -> bool:
        received = os.read(0, 65536)
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            job = json.loads(line)
            if job.get("kill"):
                self._kill(job["id"])
            elif job["until"] <= time.monotonic():
                tell(self._answers, {"id": job["id"], "gone": "deadline"})
            else:
                self._fork(job)
        return bool(received)

    def _kill(self, job_id: int) -> None:
        for child in self._children.values():
            if child.job_id == job_id and not child.killed:
                child.kill()

    def _fork(self, job: dict[str, Any]) -> None:
        """The write end of a pipe lives in the child alone: its end of file is the child's death."""
        death, alive = os.pipe()
        nursery = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(alive)
            os.close(death)
            tell(self._answers, {"id": job["id"], "gone": "died", "said": f"fork: {error}"})
            return
        if pid == 0:
            _live(job, self._answers, nursery)
        os.close(alive)
        self._children[death] = _Child(job["id"], pid, job["until"])
        self._selector.register(death, selectors.EVENT_READ)

    def _bury(self, death: int) -> None:
        child = self._children.pop(death)
        self._selector.unregister(death)
        os.close(death)
        _, status = os.waitpid(child.pid, 0)
        if status != 0:
            why = "deadline" if child.killed else "died"
            tell(self._answers, {"id": child.job_id, "gone": why})


def _live(job: dict[str, Any], answers: int, nursery: int) -> NoReturn:
    """The child's whole life. Its stderr is closed: pyghmi prints what it likes there (rule 7)."""
    try:
        die_with_parent()
        if os.getppid() != nursery:
            os._exit(1)
        silence = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(silence, fd)
        answer = _answer(job, lambda step: tell(answers, {"id": job["id"], "note": step}))
        answer["said"] = answer.get("said", "").replace(job["password"] or "\0", "***")[:_SAID_LIMIT]
        tell(answers, {"id": job["id"], "end": answer})
        os._exit(0)
    finally:
        os._exit(1)


def _answer(job: dict[str, Any], note: Callable[[str], None]) -> Answer:
    try:
        return operate(job, note)
    except Exception as error:  # noqa: BLE001 - whatever pyghmi does, the controller gets an answer
        return {"code": "driver_failed", "said": f"{type(error).__name__}: {error}"}


def _without_thread() -> None:
    """Let whoever waits read the sockets itself; pyghmi starts a thread for that, which sets events.

    One operation has nothing to share it with, and paid for it: two threads taking turns on two processors cost more
    than all the rest, and one login in four took 0.5 to 1 s, because the thread read a packet just before the waiter
    was queued. The thread does nothing but this: sessions work in the thread of their caller.
    """

    def wait(timeout: float, _address: object = None, _events: object = None) -> None:
        bell = _Doorbell.current
        also = () if bell is None else (bell.socket,)
        patience = timeout if bell is None else bell.patience(timeout)
        select.select([*pyghmi_session.iosockets, *also], (), (), max(0.0, patience))
        pyghmi_session._io_graball(pyghmi_session.iosockets, {})  # noqa: SLF001 - the only place to do it
        if bell is not None:
            bell.attend()

    pyghmi_session._io_wait = wait  # noqa: SLF001
    pyghmi_session.iothread, pyghmi_session.iothreadready = "none", True


def _warm_up() -> None:
    """Have done once, before any fork, what each child would do first: half a login's time of imports and look-ups."""
    socket.getaddrinfo("127.0.0.1", 623, 0, socket.SOCK_DGRAM)  # a number: nobody is asked
    for algorithm in (hashlib.sha1, hashlib.sha256):
        hmac.new(b"key", b"", algorithm).digest()
    cipher = Cipher(algorithms.AES(bytes(16)), modes.CBC(bytes(16)))
    for context in (cipher.encryptor(), cipher.decryptor()):
        context.update(bytes(16))
        context.finalize()


def tell(answers: int, line: dict[str, Any]) -> None:
    """One write per line: atomic up to PIPE_BUF."""
    os.write(answers, json.dumps(line).encode() + b"\n")


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent dies, however it dies (kill -9 included)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Keep the real stdout for answers: pyghmi prints."""
    die_with_parent()
    answers = os.dup(1)
    os.dup2(2, 1)
    _without_thread()
    _warm_up()
    gc.collect()
    gc.freeze()  # children share these pages with the nursery for longer
    _Nursery(answers).run()


if __name__ == "__main__":
    main()
