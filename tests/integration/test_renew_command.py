"""``hostfence-agent renew`` against a real controller's API, while the agent serves; what is left when it breaks."""

import asyncio
import os
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from controller.probing.agents import HttpAgents
from controller.probing.authority import make_authority, sign_host
from controller.probing.tls import SecureClients, client_context
from probe_agent.config import PREFIX, TlsFiles, file_settings, load
from probe_agent.tls import load_files
from shared.enrolment import ChallengeAnswer, RenewAnswer, RenewRequest, server_name
from shared.enums import Reach
from tests.fixtures.agents import REPOSITORY, AgentFactory, agents, eventually, pool
from tests.fixtures.certificates import a_key_and_csr
from tests.integration.test_enroll_command import HOST, Controller, _listens, controller, enroll

__all__ = ["agents", "controller", "pool"]

CRASHES_AT = {
    1: "looking at the present one",
    2: "making a key",
    3: "telling",
    4: "signing",
    5: "looking at the answer",
}
"""Calls of openssl in a renewal, in their order. The sixth one comes after the new pair is in place."""


async def renew(config: Path, *arguments: str, path: str = os.defpath) -> tuple[int, str]:
    """Exit status and everything it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "probe_agent", "--config", str(config), "renew", *arguments),
        env={"PATH": path, "PYTHONPATH": str(REPOSITORY)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def enrolled(controller: Controller, config: Path) -> Path:
    """Enrol an hour ago; returns the file with key and certificate."""
    token, _ = await controller.join_token()
    status, said = await enroll(config, "--controller", controller.url, "--token", token)
    assert status == 0, said
    controller.clock.advance(timedelta(hours=1))
    return Path(file_settings(config)["TLS_KEY"])


def certificate_in(identity: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(identity.read_bytes())


def is_whole(identity: Path) -> bool:
    """Key and certificate belong together, and are for this host."""
    load_files(TlsFiles(certificate=identity, key=identity, ca=identity.parent / "ca.pem"))
    names = certificate_in(identity).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName) == [server_name(HOST)]


async def served(controller: Controller) -> x509.Certificate:
    """What the agent shows to who connects now."""
    authority, now = await controller.trust()
    assert authority is not None
    _, writer = await asyncio.open_connection(
        "127.0.0.1",
        controller.agent_port,
        ssl=client_context(authority, now=now),
        server_hostname=server_name(HOST),
    )
    seen = writer.get_extra_info("ssl_object")
    writer.close()
    assert isinstance(seen, ssl.SSLObject)
    return x509.load_der_x509_certificate(seen.getpeercert(binary_form=True) or b"")


async def test_a_renewed_certificate_is_served_and_no_request_is_lost(
    controller: Controller, agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    settings = {name: text for name, text in file_settings(config).items() if name != "PORT"}
    agent = agents("a", pools=[pool], host_id=HOST, port=controller.agent_port, extra=settings)
    agent.start_serve(wait=False)
    eventually(lambda: _listens(controller.agent_port))
    before = await served(controller)
    host = await controller.host()
    kept = HttpAgents(secure=SecureClients(controller.trust, limit=4))
    asked, over = 0, asyncio.Event()

    async def ask_all_the_time() -> None:
        nonlocal asked
        while not over.is_set():
            fresh = HttpAgents(secure=SecureClients(controller.trust, limit=4))
            for client in (kept, fresh):
                seen = await client.watch(host, deadline_s=5)
                assert seen.reach is Reach.AGENT_ANSWERED, seen.detail
                asked += 1
            await fresh.aclose()

    asking = asyncio.create_task(ask_all_the_time())
    status, said = await renew(config, "--force")
    assert status == 0, said
    renewed = certificate_in(identity)
    assert renewed.serial_number != before.serial_number
    async with asyncio.timeout(15):
        while (await served(controller)).serial_number != renewed.serial_number:
            await asyncio.sleep(0.1)
    count = asked
    while asked < count + 4 and not asking.done():
        await asyncio.sleep(0.01)
    over.set()
    await asking
    await kept.aclose()
    assert "a renewed certificate is in use" in agent.log
    after = await controller.host()
    assert (after.agent_token, after.agent_tls_until) == (host.agent_token, renewed.not_valid_after_utc)


async def test_it_is_renewed_when_a_third_of_its_life_is_left_and_not_before(
    controller: Controller, tmp_path: Path
) -> None:
    config = tmp_path / "agent.conf"
    controller.clock.advance(timedelta(days=-240))  # of 367 days
    identity = await enrolled(controller, config)
    before = identity.read_text()
    status, said = await renew(config)
    assert (status, said.startswith("nothing to do yet")) == (0, True), said
    assert identity.read_text() == before

    controller.clock.advance(timedelta(days=-8))
    identity = await enrolled(controller, config)
    controller.clock.advance(timedelta(days=248))
    before = identity.read_text()
    status, said = await renew(config)
    assert (status, said.startswith("renewed: the certificate is good until 2")) == (0, True), said
    assert identity.read_text() != before
    assert sorted(path.name for path in identity.parent.iterdir()) == ["ca.pem", "identity.pem", "token"]
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    assert (await renew(config))[1].startswith("nothing to do yet")


@pytest.mark.parametrize("call", [*CRASHES_AT, 6])
async def test_a_crash_at_any_moment_leaves_a_whole_pair_and_the_next_renewal_works(
    controller: Controller, tmp_path: Path, call: int
) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    before = identity.read_text()
    deadly = tmp_path / "bin"
    deadly.mkdir()
    wrapper = deadly / "openssl"
    wrapper.write_text(
        f'#!/bin/sh\necho >>{tmp_path}/calls\n[ "$(wc -l <{tmp_path}/calls)" = {call} ] && kill -9 $PPID\n'
        f'PATH={os.defpath}\nexec openssl "$@"\n'
    )
    wrapper.chmod(0o755)
    status, said = await renew(config, "--force", path=f"{deadly}:{os.defpath}")
    assert status == -9, said
    assert (identity.read_text() == before) is (call in CRASHES_AT)
    assert is_whole(identity)

    controller.clock.advance(timedelta(hours=1))
    status, said = await renew(config, "--force")
    assert status == 0, said
    assert is_whole(identity)
    assert identity.read_text() != before
    assert sorted(path.name for path in identity.parent.iterdir()) == ["ca.pem", "identity.pem", "token"]


async def test_a_host_that_enrolled_again_or_was_removed_is_told_so(controller: Controller, tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "agent.conf", tmp_path / "new" / "agent.conf"
    for config in (old, new):
        config.parent.mkdir()
    identity = await enrolled(controller, old)
    before = identity.read_text()
    await enrolled(controller, new)
    for reason in ("enrolled again", "removed"):
        status, said = await renew(old, "--force")
        assert (status, said.count("\n")) == (1, 1), said
        assert "the controller refused: no host is known by these credentials" in said
        assert reason in said
        assert identity.read_text() == before
        async with controller.store.transaction() as tx:
            await tx.delete_host(HOST)


async def test_what_is_missing_for_a_renewal_is_named(controller: Controller, tmp_path: Path) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    text = config.read_text()
    cases = {
        f"{PREFIX}TLS_KEY is not set": "\n".join(line for line in text.splitlines() if "_TLS_" not in line),
        f"{PREFIX}CONTROLLER is not set": text.replace(f"{PREFIX}CONTROLLER=", "#"),
        "two files": text + f"{PREFIX}TLS_CERTIFICATE={identity.parent / 'other.pem'}\n",
    }
    for expected, changed in cases.items():
        config.write_text(changed)
        status, said = await renew(config, "--force")
        assert (status, expected in said, said.count("\n")) == (78, True, 1), said
    config.write_text(text + f"{PREFIX}CONTROLLER=ftp://x\n")
    status, said = await renew(config, "--force")
    assert (status, "is not a controller's address" in said) == (1, True), said
    config.write_text(text)
    status, said = await renew(config, "--force", path=str(tmp_path))
    assert (status, "install it" in said) == (1, True), said


async def test_two_renewals_do_not_get_in_each_others_way(controller: Controller, tmp_path: Path) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    done = await asyncio.gather(*(renew(config, "--force") for _ in range(3)))
    assert [status for status, _ in done].count(0) == 1, done
    assert all("another renewal is under way" in said or "just now" in said for status, said in done if status), done
    assert is_whole(identity)


Answer = Callable[[RenewRequest], str]


def _other_authority(request: RenewRequest) -> str:
    return sign_host(make_authority(datetime.now(UTC)), request.csr, HOST, now=datetime.now(UTC))[0]


@pytest.mark.parametrize("case", ["another authority", "another host", "another key", "no certificate", "no answer"])
async def test_who_answers_in_the_controllers_place_cannot_oust_the_certificate(
    controller: Controller, tmp_path: Path, case: str
) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    before = identity.read_text()
    authority, now = await controller.trust()
    assert authority is not None
    answers: dict[str, Answer] = {
        "another authority": _other_authority,
        "another host": lambda request: sign_host(authority, request.csr, "other", now=now)[0],
        "another key": lambda _: sign_host(authority, a_key_and_csr()[1], HOST, now=now)[0],
        "no certificate": lambda _: "hello\n",
        "no answer": lambda _: "",
    }
    async with an_impostor(answers[case]) as url:
        config.write_text(config.read_text() + f"{PREFIX}CONTROLLER={url}\n")
        status, said = await renew(config, "--force")
    assert (status, said.count("\n")) == (1, 1), said
    assert identity.read_text() == before
    assert sorted(path.name for path in identity.parent.iterdir()) == ["ca.pem", "identity.pem", "token"]


async def test_nothing_that_is_sent_helps_who_listens(controller: Controller, tmp_path: Path) -> None:
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    token = load({}, config)[0].token
    heard: list[RenewRequest] = []

    def listen(request: RenewRequest) -> str:
        heard.append(request)
        return "hello\n"

    async with an_impostor(listen) as url:
        config.write_text(config.read_text() + f"{PREFIX}CONTROLLER={url}\n")
        await renew(config, "--force")
    (request,) = heard
    text = request.model_dump_json()
    assert token not in text
    assert "PRIVATE" not in text
    assert "PRIVATE" in identity.read_text()


async def test_root_leaves_the_file_to_the_agents_user(controller: Controller, tmp_path: Path) -> None:
    """Where the tests do not run as root, the one user there is."""
    config = tmp_path / "agent.conf"
    identity = await enrolled(controller, config)
    owner = identity.stat().st_uid
    assert owner == (64841 if os.geteuid() == 0 else os.geteuid())
    assert (await renew(config, "--force"))[0] == 0
    assert identity.stat().st_uid == owner


@asynccontextmanager
async def an_impostor(answer: Answer) -> AsyncIterator[str]:
    """Speaks the controller's half of a renewal. An empty answer is an error."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(length)
        if "/challenge" in head:
            said = ChallengeAnswer(challenge="1.2.3").model_dump_json()
        else:
            certificate = answer(RenewRequest.model_validate_json(body))
            said = RenewAnswer(certificate=certificate).model_dump_json() if certificate else "oops"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n{said}".encode())
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
