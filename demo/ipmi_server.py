"""The wire of the demo BMC: RMCP+ sessions over pyghmi's server classes, without its thread and its global tables.

What upstream (1.6.19) lacks is added here: other cipher proposals are refused so that clients fall back to SHA-1,
unknown users get an answer, sessions end, and several BMCs live in one process because each knows its own sessions.
"""

import asyncio
import struct
import time
import uuid
from typing import Protocol, Self

from pyghmi.ipmi.bmc import Bmc
from pyghmi.ipmi.private import constants
from pyghmi.ipmi.private.serversession import ServerSession
from pyghmi.ipmi.private.session import Session as PyghmiSession

Address = tuple[str, int]

_OPEN_SESSION_REQUEST = 0x10
_SHA1_SUITE = ((11, 0x04), (19, 0x05), (27, 0x10))  # length byte of each proposal → status when it is not SHA-1/AES
_IDLE_S = 60.0
_NO_SESSION_LEFT, _UNAUTHORIZED_ROLE, _UNAUTHORIZED_NAME = 0x01, 0x0A, 0x0D


class Device(Protocol):
    """What the wire needs to know of the BMC behind it."""

    def admits(self) -> bool:
        """False when no session slot is left."""
        ...

    def allows(self, privilege: int) -> bool:
        """False for a privilege level (2 user, 3 operator, 4 administrator) that its user may not ask for."""
        ...

    def noted(self, what: str, peer: Address, *, code: int = 0) -> None:
        """Write one thing down."""
        ...


class _Wire:
    """Looks enough like a socket for pyghmi to send through an asyncio transport."""

    def __init__(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def setblocking(self, _flag: int) -> None:
        """Asked for before each send."""

    def sendto(self, packet: bytes, address: Address) -> None:
        """Sent at once: asyncio tries the socket first."""
        self._transport.sendto(bytes(packet), address)


class RmcpSession(ServerSession):  # type: ignore[misc]  # pyghmi has no types
    """One client's session. It belongs to one BMC, found by its session id."""

    k1: bytes | None = None
    clientpriv = 0
    localsid: int = 0
    bmc: "RmcpBmc"

    def __new__(cls, *_: object) -> Self:
        """Upstream's takes its own arguments by name and count."""
        return object.__new__(cls)

    def __init__(self, bmc: "RmcpBmc", peer: Address, request: bytes) -> None:
        self.remseqnumber = None
        self.managedsessionid = b""
        self.heard_at = time.monotonic()
        super().__init__(bmc.authdata, None, peer, bmc.wire, request, bmc.uuid, bmc)
        PyghmiSession.bmc_handlers.pop(peer, None)  # the global table: two BMCs would share one client's sessions
        if self.managedsessionid:
            bmc.sessions[bytes(self.managedsessionid)] = self

    def create_open_session_response(self, request: bytes) -> bytes:
        """Only HMAC-SHA1 and AES: refuse what else is proposed, as the specification has it (table 13-15)."""
        if not self.bmc.device.admits():
            return self._refusal(request, _NO_SESSION_LEFT)
        for length_at, status in _SHA1_SUITE:
            if request[length_at] != 0 and request[length_at + 1] != 1:
                return self._refusal(request, status)
        return bytes(super().create_open_session_response(request))

    def _refusal(self, request: bytes, status: int) -> bytes:
        self.clientsessionid = request[4:8]
        return bytes([request[0], status, 0, 0]) + bytes(request[4:8])

    def _got_rakp1(self, data: bytearray) -> None:
        user = bytes(data[28:]).decode("utf-8", "replace")
        self.bmc.device.noted("login", self.sockaddr)
        known = user in self.bmc.authdata
        if known and self.bmc.device.allows(data[24] & 0x0F):
            super()._got_rakp1(data)
            return
        why = _UNAUTHORIZED_ROLE if known else _UNAUTHORIZED_NAME
        refusal = bytes([data[0], why, 0, 0]) + bytes(self.clientsessionid)
        self.send_payload(refusal, constants.payload_types["rakp2"], retry=False)

    def close_server_session(self) -> None:
        """Forget the session and write down that the client said good-bye."""
        self.bmc.device.noted("logout", self.sockaddr)
        self.bmc.sessions.pop(bytes(self.managedsessionid), None)


class RmcpBmc(Bmc):  # type: ignore[misc]  # pyghmi has no types
    """One BMC on one UDP socket. Not initialised by upstream, which would bind by itself and start a thread."""

    def __init__(self, device: Device, *, users: dict[str, str], wire: asyncio.DatagramTransport) -> None:
        self.device = device
        self.uuid = uuid.uuid4()
        self.authdata = users
        self.wire = self.serversocket = _Wire(wire)
        self.port = int(wire.get_extra_info("sockname")[1])
        self.sessions: dict[bytes, RmcpSession] = {}
        self.kg = None
        self.deviceid, self.revision, self.firmwaremajor, self.firmwareminor = 32, 1, 1, 0
        self.ipmiversion, self.additionaldevices, self.mfgid, self.prodid = 2, 0, 0, 0
        # channel 1, IPMI 2.0 only, users with names only
        self.authcap = struct.pack("9B", 0, 1, 0x80, 0x04, 0x02, 0, 0, 0, 0)

    def forget_idle(self) -> None:
        """Sessions nobody closed (failed logins, killed clients) free their slot after a minute, as real ones do."""
        horizon = time.monotonic() - _IDLE_S
        self.sessions = {key: session for key, session in self.sessions.items() if session.heard_at > horizon}

    def received(self, data: bytes, peer: Address) -> None:
        """Give one datagram to whom it belongs; what makes no sense is dropped, as a BMC does."""
        if len(data) < 16 or data[:1] != b"\x06":
            return
        if data[4] != 6:  # IPMI 1.5 framing: what comes before a session
            self.sessionless_data(data, peer)
        elif data[5] & 0x3F == _OPEN_SESSION_REQUEST:
            RmcpSession(self, peer, data[16:])
        elif session := self.sessions.get(_session_id(data)):
            session.heard_at = time.monotonic()
            session._handle_ipmi2_packet(bytearray(data))  # noqa: SLF001 - pyghmi's own entry is bound to its thread
        elif data[5] == 0:
            self.sessionless_data(data, peer)


def _session_id(data: bytes) -> bytes:
    """In RAKP messages 1 and 3 it stands in the payload, later in the header."""
    return data[20:24] if data[5] & 0x3F in (0x12, 0x14) else data[6:10]
