from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.channels.email import EmailChannel, Tls
from controller.notifications.base import ChannelError
from controller.notifications.channels.email import Email
from controller.notifications.render import render
from tests.fixtures.mail_server import PASSWORD, USER, Dies, MailServer, mail_server, silent_server, tls_contexts
from tests.fixtures.notices import a_notice

MAIL = render(a_notice(), link_base="https://hostfence.example.org")
LATER = "451 4.7.1 greylisted"
NEVER = "550 5.1.1 no such person"


def _settings(port: int, **changes: object) -> EmailChannel:
    settings = EmailChannel(
        name="ops",
        host="127.0.0.1",
        port=port,
        tls=Tls.NONE,
        sender="hostfence@example.org",
        recipients=("ann@example.org", "bob@example.org"),
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


async def _failure(channel: Email) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(MAIL)
    return caught.value


def _takers(server: MailServer) -> list[list[str]]:
    return [recipients for recipients, _ in server.mails]


async def test_a_mail_arrives_with_subject_both_bodies_and_thread() -> None:
    async with mail_server() as server:
        assert await Email(_settings(server.port)).send(MAIL) == ""
    [(recipients, message)] = server.mails
    assert recipients == ["ann@example.org", "bob@example.org"]
    assert message["Subject"] == "[hostfence] CRITICAL kvm-a3: held, storm"
    assert message["Message-ID"] == f"<{MAIL.notice.id}@example.org>"
    assert message["References"] == "<incident.i-0@example.org>"
    assert message["Importance"] == "high"
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == MAIL.text
    assert "https://hostfence.example.org/incidents/i-0" in html.get_content()


async def test_mails_of_one_incident_make_one_thread() -> None:
    other = render(a_notice(id="another", key="another"), link_base="")
    async with mail_server() as server:
        for mail in (MAIL, other):
            await Email(_settings(server.port)).send(mail)
    first, second = (message for _, message in server.mails)
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_login_over_tls(tls: Tls, tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    # aiosmtpd does not count implicit TLS as TLS when it asks for a login
    how = (
        {"tls_context": server_side}
        if tls is Tls.STARTTLS
        else {"implicit_tls": server_side, "auth_require_tls": False}
    )
    async with mail_server(**how) as server:
        settings = _settings(server.port, tls=tls, username=USER, password=PASSWORD)
        await Email(settings, tls_context=client_side).send(MAIL)
        assert (len(server.mails), server.logins) == (1, 1)


async def test_a_server_that_nobody_vouches_for_gets_neither_mail_nor_password(tmp_path: Path) -> None:
    server_side, _ = tls_contexts(tmp_path)
    async with mail_server(tls_context=server_side) as server:
        settings = _settings(server.port, tls=Tls.STARTTLS, username=USER, password=PASSWORD)
        error = await _failure(Email(settings))
    assert error.channel_down
    assert (server.mails, server.logins) == ([], 0)


async def test_a_server_without_starttls_gets_nothing() -> None:
    async with mail_server(auth_require_tls=False) as server:
        settings = _settings(server.port, tls=Tls.STARTTLS, username=USER, password=PASSWORD)
        error = await _failure(Email(settings))
    assert error.channel_down
    assert (server.mails, server.logins) == ([], 0)


async def test_a_wrong_password_is_tried_again_later_and_told_without_the_password(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    async with mail_server(tls_context=server_side) as server:
        settings = _settings(server.port, tls=Tls.STARTTLS, username=USER, password="wrong-but-secret")
        error = await _failure(Email(settings, tls_context=client_side))
    assert (error.permanent, error.channel_down) == (False, True)
    assert "535" in error.said
    assert "wrong-but-secret" not in error.said + repr(error) + repr(settings)
    assert error.__cause__ is None


async def test_451_is_temporary_and_then_it_goes_through() -> None:
    async with mail_server() as server:
        server.data = [LATER]
        channel = Email(_settings(server.port))
        error = await _failure(channel)
        assert (error.permanent, error.channel_down) == (False, False)
        await channel.send(MAIL)
        assert len(server.mails) == 1


async def test_550_for_the_message_is_permanent() -> None:
    async with mail_server() as server:
        server.data = ["550 5.7.1 looks like spam"]
        error = await _failure(Email(_settings(server.port)))
    assert error.permanent
    assert error.said == "550 5.7.1 looks like spam"


async def test_550_for_every_recipient_is_permanent() -> None:
    async with mail_server() as server:
        server.rcpt = {"ann@example.org": NEVER, "bob@example.org": NEVER}
        error = await _failure(Email(_settings(server.port)))
    assert error.permanent
    assert "ann@example.org: 550" in error.said


async def test_550_for_one_recipient_is_told_and_the_others_get_the_mail() -> None:
    async with mail_server() as server:
        server.rcpt = {"bob@example.org": NEVER}
        said = await Email(_settings(server.port)).send(MAIL)
    assert said == f"bob@example.org: {NEVER}"
    assert _takers(server) == [["ann@example.org"]]


async def test_a_greylisted_recipient_gets_it_later_and_the_other_no_copy() -> None:
    async with mail_server() as server:
        server.rcpt = {"bob@example.org": LATER}
        channel = Email(_settings(server.port))
        error = await _failure(channel)
        assert (error.permanent, error.not_taken) == (False, False), "the other one has it"
        server.rcpt = {}
        assert await channel.send(MAIL) == ""
    assert _takers(server) == [["ann@example.org"], ["bob@example.org"]]


async def test_when_nobody_took_it_all_are_tried_again() -> None:
    async with mail_server() as server:
        server.rcpt = {"ann@example.org": NEVER, "bob@example.org": LATER}
        channel = Email(_settings(server.port))
        assert not (await _failure(channel)).permanent
        server.rcpt["bob@example.org"] = NEVER
        assert (await _failure(channel)).permanent


@pytest.mark.parametrize("where", [Dies.WHILE_READING, Dies.BEFORE_ITS_ANSWER])
async def test_one_that_dies_in_the_middle_may_have_the_mail(where: Dies) -> None:
    async with mail_server() as server:
        server.data = [where]
        error = await _failure(Email(_settings(server.port), timeout=timedelta(seconds=2)))
    assert (error.permanent, error.channel_down, error.not_taken) == (False, True, False)


async def test_nobody_listens() -> None:
    async with mail_server() as server:
        await server.stop()
        error = await _failure(Email(_settings(server.port)))
    assert (error.permanent, error.channel_down, error.not_taken) == (False, True, True)


async def test_a_silent_server_is_given_up_in_time() -> None:
    async with silent_server() as port:
        error = await _failure(Email(_settings(port), timeout=timedelta(seconds=0.2)))
    assert (error.permanent, error.channel_down) == (False, True)
    assert "0.2 s" in error.said or "imed out" in error.said


async def test_an_odd_host_name_cannot_forge_a_header() -> None:
    notice = a_notice(host_name="kvm\r\nBcc: eve@example.org")
    async with mail_server() as server:
        await Email(_settings(server.port)).send(render(notice, link_base=""))
    [(_, message)] = server.mails
    assert message["Bcc"] is None
    assert "kvm Bcc: eve@example.org" in message["Subject"]
