"""Join tokens and enrolment: once, in time, for one host, and worth nothing to anybody else."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from controller.api.open_door import PER_MINUTE
from controller.domain.model import Role
from tests.fixtures.certificates import a_key_and_csr
from tests.integration.api.conftest import Api

PATH = "/api/v1/enrol"


async def join_token(site: Api, host: str = "a") -> str:
    return str((await site.ok("POST", f"/hosts/{host}/join-token"))["join_token"])


async def enrol(site: Api, token: str, csr: str | None = None, **more: Any) -> httpx.Response:
    body = {"join_token": token, "csr": a_key_and_csr()[1] if csr is None else csr, **more}
    return await site.nobody.post(PATH, json=body)


async def test_a_join_token_gives_a_host_its_secret_and_certificate(site: Api) -> None:
    before = await site.ok("GET", "/hosts/a")
    assert (before["agent_tls"], before["agent_tls_until"]) == (False, None)
    made = await site.ok("POST", "/hosts/a/join-token")
    answer = await enrol(site, made["join_token"])
    assert answer.status_code == 200, answer.text
    got = answer.json()
    assert (got["host_id"], got["host_name"], got["agent_port"]) == (before["id"], "a", 8441)
    async with site.store.transaction() as tx:
        host = await tx.host(before["id"])
    assert host is not None
    assert (host.agent_token, host.agent_tls) == (got["agent_token"], True)
    assert made["ca_fingerprint"] == _sha256(got["ca_certificate"])
    after = await site.ok("GET", "/hosts/a")
    assert after["agent_tls"] is True
    assert after["agent_tls_until"] == "2026-01-07T03:12:00Z"


async def test_the_certificate_is_for_this_host_whatever_was_asked_for(site: Api) -> None:
    made = await site.ok("POST", "/hosts/a/join-token")
    got = (await enrol(site, made["join_token"])).json()
    certificate = x509.load_pem_x509_certificate(got["certificate"].encode())
    authority = x509.load_pem_x509_certificate(got["ca_certificate"].encode())
    certificate.verify_directly_issued_by(authority)
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [one.value for one in names] == [
        f"{made['host_id']}.agent.hostfence",
        f"urn:hostfence:host:{made['host_id']}",
    ]
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ]
    assert certificate.not_valid_after_utc - await site.clock.now() == timedelta(days=365)


async def test_a_join_token_is_good_for_once(site: Api) -> None:
    token = await join_token(site)
    assert (await enrol(site, token)).status_code == 200
    again = await enrol(site, token)
    assert (again.status_code, again.json()["code"]) == (403, "join_token_refused")


async def test_of_two_that_use_it_at_once_one_gets_in(site: Api) -> None:
    token = await join_token(site)
    answers = await asyncio.gather(enrol(site, token), enrol(site, token))
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    won = next(answer for answer in answers if answer.status_code == 200)
    async with site.store.transaction() as tx:
        hosts = await tx.hosts()
    assert won.json()["agent_token"] in {host.agent_token for host in hosts}


async def test_a_join_token_ends_after_an_hour(site: Api) -> None:
    token = await join_token(site)
    site.clock.advance(timedelta(minutes=60))
    late = await enrol(site, token)
    assert (late.status_code, late.json()["code"]) == (403, "join_token_expired")
    assert (await site.ok("GET", "/hosts/a"))["agent_tls"] is False


async def test_a_newer_join_token_ends_the_one_before(site: Api) -> None:
    old, new = await join_token(site), await join_token(site)
    assert (await enrol(site, old)).status_code == 403
    assert (await enrol(site, new)).status_code == 200


async def test_a_join_token_of_one_host_is_none_of_another(site: Api) -> None:
    token = await join_token(site, "a")
    other = (await site.ok("GET", "/hosts/b"))["id"]
    await join_token(site, "b")
    _, _, secret = token.split("_", 2)
    assert (await enrol(site, f"hfj_{other}_{secret}")).status_code == 403
    assert (await site.ok("GET", "/hosts/b"))["agent_tls"] is False


async def test_enrolling_again_replaces_the_credentials_under_the_same_authority(site: Api) -> None:
    first = (await enrol(site, await join_token(site))).json()
    second = (await enrol(site, await join_token(site))).json()
    other = (await enrol(site, await join_token(site, "b"))).json()
    assert first["agent_token"] != second["agent_token"]
    assert first["certificate"] != second["certificate"]
    assert first["ca_certificate"] == second["ca_certificate"] == other["ca_certificate"]


@pytest.mark.parametrize("token", ["x", "hfj_", "hfj__", "hfj_nobody_secret", "hf_admin", "_", "hfj_\u00e9_\ud800"])
async def test_what_is_no_join_token_is_refused_alike(site: Api, token: str) -> None:
    refused = await enrol(site, token.encode("utf-8", "replace").decode())
    assert (refused.status_code, refused.json()["code"]) == (403, "join_token_refused")


async def test_an_empty_digest_is_not_known_by_anybody(site: Api) -> None:
    host = (await site.ok("GET", "/hosts/a"))["id"]
    assert (await enrol(site, f"hfj_{host}_")).status_code == 403


def _weak() -> dict[str, str]:
    tampered = a_key_and_csr()[1].replace("A", "B", 3)
    return {
        "no PEM": "hello",
        "a short RSA key": a_key_and_csr(lambda: rsa.generate_private_key(65537, 1024))[1],  # noqa: S505 - that is the point
        "an odd curve": a_key_and_csr(lambda: ec.generate_private_key(ec.SECP256K1()))[1],
        "tampered with": tampered,
    }


async def test_a_bad_request_for_a_certificate_does_not_use_the_token_up(site: Api) -> None:
    token = await join_token(site)
    for case, csr in _weak().items():
        refused = await enrol(site, token, csr)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_csr"), case
    assert (await site.ok("GET", "/hosts/a"))["agent_tls"] is False
    rsa_csr = a_key_and_csr(lambda: rsa.generate_private_key(65537, 2048))[1]
    assert (await enrol(site, token, rsa_csr)).status_code == 200


async def test_secrets_are_shown_once_and_who_did_it_is_written_down(site: Api) -> None:
    token = await join_token(site)
    secret = (await enrol(site, token)).json()["agent_token"]
    pages = [await site.call("GET", path) for path in ("/hosts", "/hosts/a", "/audit")]
    for text in (token, token.split("_", 2)[2], secret, "PRIVATE"):
        assert all(text not in page.text for page in pages)
    actions = {(row["action"], row["actor"]) for row in pages[-1].json()["items"]}
    assert {("host.enrol", "join token"), ("host.join_token", "the admin")} <= actions


async def test_only_an_admin_makes_a_join_token(site: Api) -> None:
    assert (await site.call("POST", "/hosts/a/join-token", role=Role.OPERATOR)).status_code == 403
    assert (await site.call("POST", "/hosts/nobody/join-token")).status_code == 404


async def test_a_patch_cannot_send_a_host_back_to_plain_http(site: Api) -> None:
    await enrol(site, await join_token(site))
    assert (await site.call("PATCH", "/hosts/a", json={"agent_tls": False})).status_code == 422
    await site.ok("PATCH", "/hosts/a", json={"address": "new.example"})
    await site.ok("POST", "/hosts/a/agent-token")
    assert (await site.ok("GET", "/hosts/a"))["agent_tls"] is True


async def test_who_knocks_too_often_waits(site: Api) -> None:
    for _ in range(PER_MINUTE):
        assert (await enrol(site, "hfj_x_y", "x")).status_code == 403
    token = await join_token(site)
    refused = await enrol(site, token)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) == 60
    site.clock.advance(timedelta(seconds=60))
    assert (await enrol(site, token)).status_code == 200


async def test_a_large_or_endless_request_is_refused_unread(site: Api) -> None:
    large = await site.nobody.post(PATH, content=b"x" * (16 * 1024 + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")

    async def endless() -> Any:
        yield b"{"
        pytest.fail("somebody reads on")

    assert (await site.nobody.post(PATH, content=endless())).status_code == 413
    padded = await site.nobody.post(PATH, content=b"x", headers={"content-length": "0" * 12 + "9999999"})
    assert padded.status_code == 413


async def test_only_the_one_route_is_open(site: Api) -> None:
    for method, path in (("GET", PATH), ("POST", PATH + "/"), ("POST", "/api/v1/enroll"), ("PUT", PATH)):
        assert (await site.nobody.request(method, path, json={})).status_code == 401, (method, path)


async def test_without_a_database_nothing_is_promised(site: Api) -> None:
    token = await join_token(site)
    site.clock.broken = True
    assert (await enrol(site, token)).status_code == 503
    site.clock.broken = False
    assert (await enrol(site, token)).status_code == 200


def _sha256(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()
