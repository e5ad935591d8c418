"""Mail through one server: the only home of aiosmtplib.

A server that takes the mail for some recipients and not for others is the normal case of greylisting: the rest is
tried again, without sending the first ones a copy (remembered in this process; a copy after a restart has the same
Message-ID).
"""

import asyncio
import base64
import contextlib
import ssl
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from email.utils import format_datetime

import aiosmtplib

from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.model import Severity
from controller.notifications.base import SEND_TIMEOUT, ChannelError, Rendered

_QUIT_TIMEOUT_S = 2.0
_REMEMBERED = 1000


class Email:
    """Sends as :class:`EmailChannel` says. ``tls_context``: the trust store of the machine unless given."""

    def __init__(
        self,
        settings: EmailChannel,
        *,
        timeout: timedelta = SEND_TIMEOUT,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout.total_seconds()
        self._tls_context = tls_context
        self._left: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    async def send(self, rendered: Rendered) -> str:
        """See :class:`~controller.notifications.base.Channel`."""
        recipients = self._left.get(rendered.notice.id, self._settings.recipients)
        try:
            async with asyncio.timeout(self._timeout_s):
                refused = await self._hand_over(compose(rendered, self._settings), recipients)
        except ChannelError:
            raise
        except TimeoutError:
            raise self._down(f"the server did not answer within {self._timeout_s:g} s") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # ``from None``: a server may echo what we sent, and a chained traceback would log it (rule 7)
            raise self._down(str(error) or type(error).__name__) from None
        return self._settle(rendered.notice.id, refused)

    async def _hand_over(self, message: EmailMessage, recipients: tuple[str, ...]) -> dict[str, tuple[int, str]]:
        """The recipients the server refused, each with its answer."""
        client = self._client()
        try:
            try:
                await client.connect()
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                raise self._down(str(error) or type(error).__name__, not_taken=True) from None
            refused = await self._transact(client, message, recipients)
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_QUIT_TIMEOUT_S)
            return refused
        finally:
            client.close()

    async def _transact(
        self, client: aiosmtplib.SMTP, message: EmailMessage, recipients: tuple[str, ...]
    ) -> dict[str, tuple[int, str]]:
        try:
            refused, _ = await client.sendmail(self._settings.sender, recipients, message.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            return {one.recipient: (one.code, one.message) for one in error.recipients}
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            said = self._clean(f"{error.code} {error.message}")
            raise ChannelError(said, permanent=error.code >= 500, not_taken=True) from None
        return {who: (answer.code, answer.message) for who, answer in refused.items()}

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password or None,
            timeout=self._timeout_s,
            use_tls=settings.tls is Tls.TLS,
            start_tls=settings.tls is Tls.STARTTLS,
            tls_context=None if settings.tls is Tls.NONE else self._tls_context or ssl.create_default_context(),
        )

    def _settle(self, notice_id: str, refused: dict[str, tuple[int, str]]) -> str:
        """What the refusals mean: try the temporary ones again, report the permanent ones."""
        said = self._clean(_each(refused))
        again = tuple(who for who, (code, _) in refused.items() if code < 500)
        asked = self._left.pop(notice_id, self._settings.recipients)
        nobody_took_it = len(refused) == len(asked) == len(self._settings.recipients)
        if again:
            if not nobody_took_it:
                self._remember(notice_id, again)
            raise ChannelError(said, permanent=False, not_taken=nobody_took_it)
        if nobody_took_it:
            raise ChannelError(said, permanent=True)
        return said

    def _remember(self, notice_id: str, left: tuple[str, ...]) -> None:
        self._left[notice_id] = left
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)

    def _down(self, said: str, *, not_taken: bool = False) -> ChannelError:
        return ChannelError(self._clean(said), permanent=False, channel_down=True, not_taken=not_taken)

    def _clean(self, said: str) -> str:
        return without_secrets(
            " ".join(said.split()), username=self._settings.username, password=self._settings.password
        )


def compose(rendered: Rendered, settings: EmailChannel) -> EmailMessage:
    """The mail. Mails of one incident refer to one root, to make one thread; a repeat keeps its Message-ID."""
    notice = rendered.notice
    domain = settings.sender.rpartition("@")[2]
    message = EmailMessage(policy=MAIL_POLICY)
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    if notice.incident_id:
        root = f"<incident.{notice.incident_id}@{domain}>"
        message["In-Reply-To"] = root
        message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    message["X-Hostfence-Kind"] = notice.kind
    if notice.severity is Severity.CRITICAL:
        message["Importance"] = "high"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    return message


def without_secrets(text: str, *, username: str, password: str) -> str:
    """``text`` without the password in any form in which SMTP carries it."""
    for secret in sorted(_forms(username, password), key=len, reverse=True):
        text = text.replace(secret, "(secret)")
    return text


def _each(refused: dict[str, tuple[int, str]]) -> str:
    return "; ".join(f"{who}: {code} {answer}" for who, (code, answer) in sorted(refused.items()))


def _forms(username: str, password: str) -> Iterable[str]:
    if not password:
        return
    yield password
    for plain in (password, f"\0{username}\0{password}", f"{username}\0{username}\0{password}"):
        yield base64.b64encode(plain.encode()).decode()
