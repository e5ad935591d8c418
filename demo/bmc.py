"""A BMC in pure Python that speaks real IPMI 2.0, for the demo and the tests: pyghmi and ipmitool talk to it.

It starts *on*, writes down every command with a monotonic time, and misbehaves on request as real ones do. Run one as a
process: ``python -m demo.bmc --listen 127.0.0.1:9623 --user admin --password-file FILE --log FILE``. Loopback only by
intent: a demo BMC's passwords protect nothing.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.ipmi_server import Address, RmcpBmc

_BUSY, _INVALID_COMMAND, _REJECTED = 0xC0, 0xC1, 0xD5
_CONTROL = {0: "off", 1: "on", 2: "cycle", 3: "reset", 4: "diag", 5: "soft"}
_CHASSIS, _STATUS, _CHASSIS_CONTROL, _IDENTIFY = 0, 1, 2, 4


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """What this BMC does wrong. May be changed while it runs."""

    off_delay_s: float = 0.0
    """Accepts *off* at once and reads *on* for this long."""
    rejects_off: bool = False
    ignores_off: bool = False
    """Accepts *off* and stays on for ever."""
    silent: bool = False
    """Answers nothing at all."""
    swallows_answers: bool = False
    """Does what it is told and does not answer commands (reads and logins are answered)."""
    busy: bool = False
    """Answers "node busy" to reads and commands."""
    max_sessions: int = 16
    highest_privilege: int = 4
    """What its user may ask for at most: 2 user, 3 operator, 4 administrator."""
    login_delay_s: float = 0.0
    """Takes this long over every datagram of a login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened: ``login logout status off on reset … identify identify_off power_off power_on``."""

    at: float
    bmc: str
    what: str
    code: int = 0
    peer: str = ""


@dataclass(slots=True, kw_only=True)
class DemoBmc:
    """One BMC. ``await start()``, look at ``entries``, ``close()``. Lives in the running event loop, has no thread."""

    user: str
    password: str = field(repr=False)
    name: str = "bmc"
    address: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one; the real one after ``start``."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    on_power: Callable[[str], None] | None = None
    """Called with ``on`` or ``off`` when the power really changes (so the demo can end what runs on that host)."""
    log: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    power: str = "on"
    identify: bool = False
    _wire: RmcpBmc | None = None
    _transport: asyncio.DatagramTransport | None = None
    _pending: asyncio.TimerHandle | None = None

    async def start(self) -> "DemoBmc":
        """Bind and answer."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self.datagram_received), local_addr=(self.address, self.port)
        )
        users = {self.user: self.password}
        self._wire = _Chassis(self, users=users, wire=self._transport)
        self.port = self._wire.port
        return self

    def change_password(self, password: str) -> None:
        """From now on its user logs in with this one."""
        self.password = password
        if self._wire is not None:
            self._wire.authdata[self.user] = password

    def close(self) -> None:
        """Stop answering and drop what was still to happen."""
        if self._pending is not None:
            self._pending.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def open_sessions(self) -> int:
        """Sessions nobody has closed."""
        return len(self._wire.sessions) if self._wire else 0

    def commands(self) -> list[str]:
        """What was asked for that changes something, in order."""
        return [entry.what for entry in self.entries if entry.what in (*_CONTROL.values(), "identify", "identify_off")]

    def count(self, what: str) -> int:
        """How often ``what`` happened."""
        return sum(entry.what == what for entry in self.entries)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """One packet came in."""
        if self.behaviour.silent or self._wire is None:
            return
        if self.behaviour.login_delay_s and data[4:5] == b"\x06" and data[5:6] > b"\x0f":
            asyncio.get_running_loop().call_later(self.behaviour.login_delay_s, self._wire.received, data, addr)
        else:
            self._wire.received(data, addr)

    def admits(self) -> bool:
        """Is a session slot left."""
        if self._wire is not None:
            self._wire.forget_idle()
        return self.open_sessions < self.behaviour.max_sessions

    def allows(self, privilege: int) -> bool:
        """May its user ask for this privilege level."""
        return privilege <= self.behaviour.highest_privilege

    def noted(self, what: str, peer: Address = ("", 0), *, code: int = 0) -> None:
        """Write one thing down, in memory and in the log file."""
        entry = Entry(at=time.monotonic(), bmc=self.name, what=what, code=code, peer=f"{peer[0]}:{peer[1]}")
        self.entries.append(entry)
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry)) + "\n")

    def control(self, directive: int) -> int:
        """Chassis control: returns the completion code."""
        what = _CONTROL.get(directive, "")
        if what == "off" and self.behaviour.rejects_off:
            return _REJECTED
        if what in ("off", "soft") and not self.behaviour.ignores_off:
            self._later("off", self.behaviour.off_delay_s)
        elif what == "on":
            self._later("on", 0.0)
        elif what in ("cycle", "reset") and self.power == "on":
            self._switch("off")
            self._switch("on")
        return 0

    def _later(self, state: str, delay_s: float) -> None:
        if self._pending is not None:
            self._pending.cancel()
        if delay_s:
            self._pending = asyncio.get_running_loop().call_later(delay_s, self._switch, state)
        else:
            self._switch(state)

    def _switch(self, state: str) -> None:
        if self.power == state:
            return
        self.power = state
        self.noted(f"power_{state}")
        if self.on_power is not None:
            self.on_power(state)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[bytes, Address], None]) -> None:
        self.datagram_received = hear  # type: ignore[method-assign,assignment]  # asyncio calls it by position


class _Chassis(RmcpBmc):
    """Chassis commands, given to the :class:`DemoBmc` behind them."""

    def __init__(self, bmc: DemoBmc, *, users: dict[str, str], wire: asyncio.DatagramTransport) -> None:
        super().__init__(bmc, users=users, wire=wire)
        self._bmc = bmc

    def handle_raw_request(self, request: dict[str, Any], session: Any) -> None:
        """One command of an open session, called by pyghmi."""
        if request["netfn"] != _CHASSIS or request["command"] not in (_STATUS, _CHASSIS_CONTROL, _IDENTIFY):
            super().handle_raw_request(request, session)
            return
        what, code, data = self._answer(request["command"], bytes(request["data"]))
        self._bmc.noted(what, session.sockaddr, code=code)
        if not (self._bmc.behaviour.swallows_answers and request["command"] != _STATUS):
            session.send_ipmi_response(code=code, data=data)

    def _answer(self, command: int, data: bytes) -> tuple[str, int, list[int]]:
        bmc = self._bmc
        busy = bmc.behaviour.busy
        if command == _STATUS:
            identify = 0x40 | (0x10 if bmc.identify else 0)
            return "status", _BUSY if busy else 0, [] if busy else [int(bmc.power == "on"), 0, identify]
        if command == _CHASSIS_CONTROL:
            return _CONTROL.get(data[0], "?"), _BUSY if busy else bmc.control(data[0]), []
        if not busy:
            bmc.identify = any(data) if data else True
        return "identify" if any(data) or not data else "identify_off", _BUSY if busy else 0, []


def main(argv: Iterable[str] | None = None) -> None:
    """The command line: one BMC until the process is ended."""
    parser = argparse.ArgumentParser(prog="demo.bmc", description="A BMC that speaks IPMI 2.0")
    parser.add_argument("--listen", default="127.0.0.1:9623", metavar="ADDRESS:PORT")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--log", type=Path, help="JSON lines, one per command")
    parser.add_argument("--name", default="bmc")
    parser.add_argument("--off-delay", type=float, default=0.0, metavar="SECONDS")
    for flag in ("rejects-off", "ignores-off", "silent", "busy"):
        parser.add_argument(f"--{flag}", action="store_true")
    asyncio.run(_serve(parser.parse_args(None if argv is None else list(argv))))


async def _serve(options: argparse.Namespace) -> None:
    address, _, port = options.listen.rpartition(":")
    behaviour = Behaviour(
        off_delay_s=options.off_delay,
        rejects_off=options.rejects_off,
        ignores_off=options.ignores_off,
        silent=options.silent,
        busy=options.busy,
    )
    bmc = DemoBmc(
        user=options.user,
        password=options.password_file.read_text(encoding="utf-8").rstrip("\n"),
        name=options.name,
        address=address.strip("[]"),
        port=int(port),
        behaviour=behaviour,
        log=options.log,
    )
    await bmc.start()
    print(f"{bmc.name} listens on {bmc.address}:{bmc.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
