"""A renewed pair is taken up while the old one serves; what is of no use is not."""

import logging
import ssl
from pathlib import Path

import pytest

from controller.domain.enrolment import Authority
from probe_agent.config import ConfigError, TlsFiles
from probe_agent.identity import Life
from probe_agent.tls import Credentials
from shared.enrolment import server_name
from tests.fixtures.certificates import Identity, an_authority

DAY = 86400.0


@pytest.fixture
def authority() -> Authority:
    return an_authority()


def a_pair(folder: Path, authority: Authority, name: str) -> str:
    made = Identity(folder / name, authority, "h1")
    return made.key_file.read_text() + made.certificate_file.read_text()


def one_file(folder: Path, authority: Authority) -> TlsFiles:
    identity, ca = folder / "identity.pem", folder / "ca.pem"
    put(identity, a_pair(folder, authority, "first"))
    ca.write_text(authority.certificate)
    return TlsFiles(certificate=identity, key=identity, ca=ca)


def put(identity: Path, text: str, mode: int = 0o600) -> None:
    """As a renewal does: a new file in the place of the old one."""
    made = identity.with_suffix(".new")
    made.write_text(text)
    made.chmod(mode)
    made.replace(identity)


def shown(credentials: Credentials) -> bytes:
    """The certificate that a handshake between the two contexts brings."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = credentials.asking.wrap_bio(to_client, to_server, server_hostname=server_name("h1"))
    server = credentials.serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert server.getpeercert(binary_form=True) == client.getpeercert(binary_form=True), "both sides show one"
    return client.getpeercert(binary_form=True) or b""


def test_a_renewed_pair_is_taken_up_once(tmp_path: Path, authority: Authority) -> None:
    files = one_file(tmp_path, authority)
    credentials = Credentials(files)
    before = shown(credentials)
    assert not credentials.refresh()
    put(files.key, a_pair(tmp_path, authority, "second"))
    assert credentials.refresh()
    assert shown(credentials) != before
    assert not credentials.refresh()


def test_what_is_of_no_use_is_named_once_and_the_pair_before_goes_on(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    files = one_file(tmp_path, authority)
    credentials = Credentials(files)
    before = shown(credentials)
    second, third = a_pair(tmp_path, authority, "second"), a_pair(tmp_path, authority, "third")
    end = "-----END PRIVATE KEY-----\n"
    mismatch = second.partition(end)[0] + end + third.partition(end)[2]
    for text, mode in (("nothing", 0o600), (mismatch, 0o600), (second, 0o640)):
        caplog.clear()
        put(files.key, text, mode)
        assert [credentials.refresh(), credentials.refresh()] == [False, False]
        assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
        assert shown(credentials) == before
    files.key.unlink()
    assert not credentials.refresh()
    assert shown(credentials) == before
    put(files.key, second)
    assert credentials.refresh()


def test_two_files_are_read_at_the_start_only(tmp_path: Path, authority: Authority) -> None:
    """Nobody can replace both at once."""
    made = Identity(tmp_path / "two", authority, "h1")
    credentials = Credentials(made.files)
    before = shown(credentials)
    other = Identity(tmp_path / "other", authority, "h1")
    other.key_file.replace(made.key_file)
    assert not credentials.refresh()
    assert shown(credentials) == before


def test_bad_files_at_the_start_are_an_error(tmp_path: Path, authority: Authority) -> None:
    files = one_file(tmp_path, authority)
    files.key.write_text("nothing")
    with pytest.raises(ConfigError, match="TLS_CERTIFICATE"):
        Credentials(files)
    files.key.chmod(0o604)
    with pytest.raises(ConfigError, match="chmod 600"):
        Credentials(files)


@pytest.mark.parametrize(("left_days", "due"), [(123, False), (122, True), (1, True), (0, True), (-400, True)])
def test_a_certificate_is_due_with_less_than_a_third_of_its_life_left(left_days: int, due: bool) -> None:  # noqa: FBT001
    """Also one that has ended, by this host's clock: the controller judges by its own."""
    life = Life(begins=0.0, ends=367 * DAY)
    assert life.is_due((367 - left_days) * DAY) is due
