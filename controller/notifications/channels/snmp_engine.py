"""One SNMP engine for the process: the only home of pysnmp.

An engine is costly to make, and receivers of version 3 know it by its id and its count of starts; so all channels send
through one, which is made when the first of them sends.
"""

import asyncio
import hashlib
import socket
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    NotificationType,
    ObjectIdentity,
    SnmpEngine,
    Udp6TransportTarget,
    UdpTransportTarget,
    UsmUserData,
    send_notification,
    usmAesBlumenthalCfb192Protocol,
    usmAesBlumenthalCfb256Protocol,
    usmAesCfb128Protocol,
    usmHMAC128SHA224AuthProtocol,
    usmHMAC192SHA256AuthProtocol,
    usmHMAC256SHA384AuthProtocol,
    usmHMAC384SHA512AuthProtocol,
    usmHMACSHAAuthProtocol,
    usmNoAuthProtocol,
    usmNoPrivProtocol,
)
from pysnmp.proto.errind import RequestTimedOut
from pysnmp.proto.mpmod.rfc3412 import SnmpV3MessageProcessingModel
from pysnmp.proto.rfc1902 import Integer32, OctetString, Unsigned32

from controller.domain.channels.snmp import SnmpAuth, SnmpChannel, SnmpPrivacy, SnmpVersion
from controller.notifications.base import ChannelError
from controller.notifications.channels.snmp_identity import EngineIdentity, Identity

ANSWER_WITHIN_S = 4
TRIES = 3
"""An inform is sent this often, each time with :data:`ANSWER_WITHIN_S` for its answer: 12 s in all."""

_AUTH = {
    SnmpAuth.NONE: usmNoAuthProtocol,
    SnmpAuth.SHA: usmHMACSHAAuthProtocol,
    SnmpAuth.SHA224: usmHMAC128SHA224AuthProtocol,
    SnmpAuth.SHA256: usmHMAC192SHA256AuthProtocol,
    SnmpAuth.SHA384: usmHMAC256SHA384AuthProtocol,
    SnmpAuth.SHA512: usmHMAC384SHA512AuthProtocol,
}
_PRIVACY = {
    SnmpPrivacy.NONE: usmNoPrivProtocol,
    SnmpPrivacy.AES: usmAesCfb128Protocol,
    SnmpPrivacy.AES192: usmAesBlumenthalCfb192Protocol,
    SnmpPrivacy.AES256: usmAesBlumenthalCfb256Protocol,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a notification; ``unsigned`` where the MIB says so."""

    oid: str
    value: bytes | int
    unsigned: bool = False


class SnmpPost:
    """Sends for every channel of this process."""

    def __init__(self, identity: EngineIdentity, *, answer_within_s: int = ANSWER_WITHIN_S, tries: int = TRIES) -> None:
        self._identity = identity
        self._answer_within_s = answer_within_s
        self._tries = tries
        self._engine: SnmpEngine | None = None
        self._making = asyncio.Lock()
        self._under_way = 0
        self._forget = False
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.taken: Identity | None = None

    async def notify(self, settings: SnmpChannel, trap_oid: str, variables: Sequence[Variable]) -> None:
        """Send one trap, or one inform and wait for its answer. Raises :class:`ChannelError`, not yet cleaned."""
        engine = await self._made()
        target, tag = await self._target(settings)
        notification = NotificationType(ObjectIdentity(trap_oid)).add_varbinds(
            *((one.oid, _value(one)) for one in variables)
        )
        async with self._turn(settings):
            self._forget_peers_if_needed(engine)
            self._under_way += 1
            try:
                indication, status, _, _ = await send_notification(
                    engine,
                    _credentials(settings, tag),
                    target,
                    ContextData(),
                    "inform" if settings.inform else "trap",
                    notification,
                    lookupMib=False,
                )
            except PySnmpError as error:
                raise _down(str(error)) from None
            finally:
                self._under_way -= 1
        if indication:
            self._forget = True
            # it said no; an inform that is not answered may have arrived
            raise _down(str(indication), not_taken=not isinstance(indication, RequestTimedOut))
        if status:
            raise ChannelError(f"the receiver answers with SNMP error {int(status)}", permanent=False, not_taken=True)

    def close(self) -> None:
        """End the engine's timers and sockets."""
        if self._engine is not None:
            self._engine.close_dispatcher()
            self._engine = None
        self._identity.give_back()

    def _turn(self, settings: SnmpChannel) -> AbstractAsyncContextManager[object]:
        """Keys belong to a user's name: channels with one name, which may have different passwords, take turns."""
        return self._turns[settings.username] if settings.version is SnmpVersion.V3 else nullcontext()

    def _forget_peers_if_needed(self, engine: SnmpEngine) -> None:
        """Ask receivers anew who they are, once one did not answer; only while no answer is being waited for.

        pysnmp keeps for five minutes which engine answers at an address, and drops without a word what another one
        says there: snmptrapd comes back as another one when it is killed before it wrote its id down.
        """
        if self._forget and self._under_way == 0:
            self._forget = False
            forgetful = SnmpV3MessageProcessingModel()
            engine.message_processing_subsystems[forgetful.MESSAGE_PROCESSING_MODEL_ID] = forgetful

    async def _made(self) -> SnmpEngine:
        async with self._making:
            if self._engine is None:
                if self.taken is None:
                    self.taken = await asyncio.to_thread(self._identity.take)
                self._engine = _engine(self.taken)
            return self._engine

    async def _target(self, settings: SnmpChannel) -> tuple[UdpTransportTarget | Udp6TransportTarget, str]:
        """Where to send, and a tag that is this channel's at this address alone: pysnmp sends to all of a tag."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                settings.host, settings.port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP
            )
        except OSError as error:
            raise _down(f"{settings.host}: {error.strerror or error}", not_taken=True) from None
        family, _, _, _, address = found[0]
        own = (settings, settings.community, settings.auth_password, settings.privacy_password, address)
        tag = hashlib.sha256(repr(own).encode()).hexdigest()[:24]
        kind = Udp6TransportTarget if family == socket.AF_INET6 else UdpTransportTarget
        target = await kind.create(address[:2], timeout=self._answer_within_s, retries=self._tries - 1, tagList=tag)
        return target, tag


def _engine(identity: Identity) -> SnmpEngine:
    """With the id not as an argument: pysnmp would keep the starts in a folder in /tmp that everybody can write."""
    engine = SnmpEngine()
    engine_id, boots = engine.get_mib_builder().import_symbols(
        "__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots"
    )
    engine_id.syntax = engine_id.syntax.clone(identity.engine_id)
    boots.syntax = boots.syntax.clone(identity.boots)
    engine.snmpEngineID = engine_id.syntax
    return engine


def _credentials(settings: SnmpChannel, tag: str) -> CommunityData | UsmUserData:
    if settings.version is SnmpVersion.V2C:
        return CommunityData(f"c{tag}", settings.community, mpModel=1, tag=tag)  # noqa: S508 - as the operator chose
    return UsmUserData(
        settings.username,
        settings.auth_password if settings.auth is not SnmpAuth.NONE else None,
        settings.privacy_password if settings.privacy is not SnmpPrivacy.NONE else None,
        authProtocol=_AUTH[settings.auth],
        privProtocol=_PRIVACY[settings.privacy],
    )


def _value(one: Variable) -> OctetString | Integer32 | Unsigned32:
    if isinstance(one.value, bytes):
        return OctetString(one.value)
    return Unsigned32(one.value) if one.unsigned else Integer32(one.value)


def _down(said: str, *, not_taken: bool = False) -> ChannelError:
    return ChannelError(said, permanent=False, channel_down=True, not_taken=not_taken)
