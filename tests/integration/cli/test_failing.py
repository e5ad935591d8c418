"""Every way to fail: its exit code, one clear text, and no secret in it."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.cli.errors import EXPLAINED, Exit
from controller.config import load_config
from tests.integration.cli.conftest import Cli, Site


def test_without_a_token_it_says_how_to_get_one(cli: Cli) -> None:
    ran = cli("status", HOSTFENCE_TOKEN=None)
    assert (ran.code, ran.out) == (Exit.NOT_ALLOWED, "")
    assert "hostfence login" in ran.err


def test_a_token_that_is_worth_nothing(cli: Cli) -> None:
    ran = cli("status", HOSTFENCE_TOKEN="hf_nothing")
    assert ran.code == Exit.NOT_ALLOWED
    assert "does not accept the token" in ran.err
    assert "hf_nothing" not in ran.err


def test_a_role_that_is_too_small_is_named_with_the_one_needed(site: Site, cli: Cli) -> None:
    ran = cli("pause", "--reason", "no", HOSTFENCE_TOKEN=site.tokens["viewer"])
    assert ran.code == Exit.NOT_ALLOWED
    assert "the viewer is a viewer; this needs operator or admin" in ran.err
    assert cli("status", HOSTFENCE_TOKEN=site.tokens["reporter"]).code == Exit.NOT_ALLOWED


def test_a_name_that_is_nearly_right(site: Site, cli: Cli) -> None:
    cluster, [host, _] = site.cluster()
    ran = cli("explain", f"{host}x")
    assert ran.code == Exit.NOT_FOUND
    assert "did you mean" in ran.err
    assert host in ran.err
    ran = cli("readiness", cluster.upper().lower() + "z")
    assert (ran.code, cluster in ran.err) == (Exit.NOT_FOUND, True)


def test_nobody_listens(cli: Cli) -> None:
    ran = cli("status", HOSTFENCE_URL="http://127.0.0.1:1")
    assert ran.code == Exit.UNREACHABLE
    assert "http://127.0.0.1:1 cannot be reached" in ran.err
    assert "HOSTFENCE_URL" in ran.err


def test_something_else_listens(cli: Cli) -> None:
    with a_server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello") as url:
        ran = cli("status", HOSTFENCE_URL=url)
    assert (ran.code, "is no hostfence controller" in ran.err) == (Exit.UNREACHABLE, True)


def test_a_certificate_is_checked(cli: Cli, tmp_path: Path) -> None:
    key, certificate = a_certificate()
    (tmp_path / "ca.pem").write_bytes(certificate)
    (tmp_path / "chain.pem").write_bytes(key + certificate)
    answer = b'HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n{"name":"ann","role":"operator"}'
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "chain.pem")
    seen: list[bytes] = []
    with a_server(answer, seen=seen, tls=context) as url:
        ran = cli("whoami", HOSTFENCE_URL=url)
        assert (ran.code, "--ca-file" in ran.err, seen) == (Exit.UNREACHABLE, True, [])
        assert "ann" in cli.done("--ca-file", str(tmp_path / "ca.pem"), "whoami", HOSTFENCE_URL=url)


def test_an_answer_lost_after_a_command_is_not_taken_for_a_no(cli: Cli) -> None:
    with a_server(b"") as url:
        ran = cli("pause", "--reason", "x", HOSTFENCE_URL=url)
    assert ran.code == Exit.UNREACHABLE
    assert "nobody knows whether it was done" in ran.err


def test_a_command_is_sent_once(cli: Cli) -> None:
    seen: list[bytes] = []
    with a_server(b"", seen=seen) as url:
        cli("pause", "--reason", "x", HOSTFENCE_URL=url)
    assert len(seen) == 1


def test_a_refusal_is_in_the_controllers_own_words(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    ran = cli("settings", "set", "check_interval=4", "grace=900")
    assert ran.code == Exit.FAILED
    assert "check_interval: 4 is not possible; write a number of seconds from 5 to 300" in ran.err
    assert "grace: 900 is not possible" in ran.err, "all that is wrong, at once"
    ran = cli("test", host)
    assert (ran.code, "set ipmi.host" in ran.err) == (Exit.FAILED, True)


def test_a_rule_that_stands_against_it_is_explained(site: Site, cli: Cli) -> None:
    _, [one, other] = site.cluster()
    cli.done("settings", "set", "ipmi.host=10.0.0.7", "--host", one)
    ran = cli("settings", "set", "ipmi.host=10.0.0.7", "--host", other)
    assert ran.code == Exit.FAILED
    assert "bmc_shared: " in ran.err
    cli.done("settings", "unset", "ipmi.host", "--host", one)


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("status", "--url"),
        ("fence", "a"),
        ("settings", "set", "check_interval"),
        ("settings", "set", "chek_interval=5"),
        ("settings", "set", "check_interval=often"),
        ("settings", "set", "mode=enforce"),
        ("settings", "set", "ipmi.password=hunter2"),
        ("settings", "get", "--cluster", "a", "--host", "b"),
        ("pause", "--reason", "x", "--for", "soon"),
        ("mode", "enforce"),
        ("--url", "ftp://x", "status"),
        ("--url", "http://user:secret@x", "status"),
        ("--ca-file", "/nowhere", "status"),
    ],
)
def test_a_line_that_is_wrong_sends_nothing(site: Site, cli: Cli, words: tuple[str, ...]) -> None:
    before = site.call("GET", "/audit?limit=1")["items"]
    ran = cli(*words)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err
    assert "hunter2" not in ran.err
    assert site.call("GET", "/audit?limit=1")["items"] == before


def test_no_command_takes_a_token(cli: Cli) -> None:
    assert "token" not in "".join(line for line in cli.done("--help").splitlines() if "--" in line)
    assert cli("--token", "x", "status").code == Exit.USAGE


def test_login_keeps_the_token_for_this_controller_only(site: Site, cli: Cli, tmp_path: Path) -> None:
    out = cli.done("login", typed=f"{site.token}\n", HOSTFENCE_TOKEN=None)
    kept = tmp_path / "hostfence" / "credentials.json"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert site.token not in out
    assert "first-admin (admin)" in cli.done("whoami", HOSTFENCE_TOKEN=None, HOSTFENCE_URL=None)

    seen: list[bytes] = []
    with a_server(b"", seen=seen) as url:
        ran = cli("whoami", HOSTFENCE_TOKEN=None, HOSTFENCE_URL=url)
    assert (ran.code, seen) == (Exit.NOT_ALLOWED, [])
    assert f"the saved token is for {site.url}" in ran.err

    kept.chmod(0o644)
    ran = cli("whoami", HOSTFENCE_TOKEN=None)
    assert (ran.code, "chmod 600" in ran.err) == (Exit.USAGE, True)
    cli.done("logout")
    assert not kept.exists()


def test_a_token_that_does_not_work_is_not_kept(cli: Cli, tmp_path: Path) -> None:
    assert cli("login", typed="hf_wrong\n", HOSTFENCE_TOKEN=None).code == Exit.NOT_ALLOWED
    assert not (tmp_path / "hostfence").exists()


def test_a_token_from_a_file(site: Site, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{site.token}\n")
    file.chmod(0o600)
    cli.done("whoami", HOSTFENCE_TOKEN=None, HOSTFENCE_TOKEN_FILE=str(file))
    file.chmod(0o640)
    assert cli("whoami", HOSTFENCE_TOKEN=None, HOSTFENCE_TOKEN_FILE=str(file)).code == Exit.USAGE


def test_proxies_of_the_environment_never_see_the_token(cli: Cli) -> None:
    cli.done("whoami", HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1", ALL_PROXY="http://127.0.0.1:1")


def test_the_controller_takes_its_variables_for_no_misspelling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "TOKEN_FILE", "CA_FILE"):
        monkeypatch.setenv(f"HOSTFENCE_{name}", "x")
    load_config()


def test_every_exit_code_is_explained() -> None:
    assert set(EXPLAINED) == set(Exit)


def a_certificate() -> tuple[bytes, bytes]:
    """A key and a certificate for 127.0.0.1 that nobody vouches for, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, kept), certificate.public_bytes(pem)


@contextmanager
def a_server(answer: bytes, *, seen: list[bytes] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Takes each connection, reads a request, answers, closes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                talking = tls.wrap_socket(connection, server_side=True) if tls is not None else connection
                with talking:
                    request = talking.recv(65536)
                    if seen is not None:
                        seen.append(request)
                    talking.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(timeout=5)
