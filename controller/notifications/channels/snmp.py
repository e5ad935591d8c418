"""SNMP notifications: a notice as the variables of HOSTFENCE-MIB. Only informs are confirmed, and a trap says so."""

import asyncio
from datetime import UTC, datetime, timedelta

from controller.domain.channels.snmp import SnmpChannel, SnmpVersion
from controller.notifications.base import SEND_TIMEOUT, ChannelError, Rendered
from controller.notifications.channels import snmp_numbers as mib
from controller.notifications.channels.snmp_engine import SnmpPost, Variable
from controller.notifications.secrecy import cleaned

NOT_CONFIRMED = "sent as a trap: nothing confirms that it arrived (informs are confirmed)"


class Snmp:
    """Sends as :class:`SnmpChannel` says, through the process's one engine."""

    def __init__(self, settings: SnmpChannel, post: SnmpPost, *, timeout: timedelta = SEND_TIMEOUT) -> None:
        self._settings = settings
        self._post = post
        self._timeout_s = timeout.total_seconds()

    async def send(self, rendered: Rendered) -> str:
        """See :class:`~controller.notifications.base.Channel`."""
        settings = self._settings
        trap = mib.trap_oid(rendered.notice.kind, base=settings.base_oid)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._post.notify(settings, trap, variables(rendered, base=settings.base_oid))
        except TimeoutError:
            raise self._down(f"the receiver did not answer within {self._timeout_s:g} s") from None
        except ChannelError as error:
            raise ChannelError(
                self._clean(error.said),
                permanent=error.permanent,
                channel_down=error.channel_down,
                not_taken=error.not_taken,
            ) from None
        except (OSError, ValueError) as error:
            raise self._down(f"{type(error).__name__}: {error}") from None
        return "" if settings.inform else self._trap_said()

    def _trap_said(self) -> str:
        """A receiver of version 3 takes traps only from engines that it was told of."""
        if self._settings.version is SnmpVersion.V3 and self._post.taken is not None:
            return f"{NOT_CONFIRMED}; the receiver has to know engine id 0x{self._post.taken.engine_id.hex()}"
        return NOT_CONFIRMED

    def _down(self, said: str) -> ChannelError:
        return ChannelError(self._clean(said), permanent=False, channel_down=True)

    def _clean(self, said: str) -> str:
        settings = self._settings
        return cleaned(said, settings.community, settings.auth_password, settings.privacy_password)


def variables(rendered: Rendered, *, base: str) -> list[Variable]:
    """What the notification carries, in the MIB's order."""
    notice = rendered.notice
    texts = {
        mib.NOTICE_ID: notice.id,
        mib.KIND: notice.kind,
        mib.SUMMARY: rendered.subject,
        mib.HOST: notice.host_name,
        mib.CLUSTER: rendered.cluster,
        mib.INCIDENT: notice.incident_id or "",
        # a digest's text begins with why it is one; in the little room there is the names count
        mib.WHAT: notice.what.partition(". ")[2] if rendered.members else notice.what,
        mib.WHY: ",".join(notice.why),
        mib.NEXT: notice.next,
        mib.HOW_TO_STOP: notice.how_to_stop,
        mib.LINK: rendered.link,
    }
    values: dict[mib.Object, bytes | int] = {one: cut(said, one.longest) for one, said in texts.items()}
    values[mib.SEVERITY] = mib.SEVERITIES[notice.severity]
    values[mib.DECIDED_AT] = date_and_time(notice.at)
    values[mib.COUNT] = max(1, len(rendered.members))
    return [
        Variable(oid=mib.object_oid(one, base=base), value=values[one], unsigned=one is mib.COUNT)
        for one in mib.OBJECTS
    ]


def cut(text: str, longest: int) -> bytes:
    """At most ``longest`` bytes of UTF-8 in one line, ended with … where something is missing."""
    whole = " ".join(text.split()).encode()
    if len(whole) <= longest:
        return whole
    mark = "…".encode()
    return whole[: longest - len(mark)].decode(errors="ignore").encode() + mark


def date_and_time(at: datetime) -> bytes:
    """SNMPv2-TC's DateAndTime, in UTC."""
    utc = at.astimezone(UTC)
    rest = [utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond // 100_000]
    return utc.year.to_bytes(2, "big") + bytes([*rest, ord("+"), 0, 0])
