"""A certificate is renewed by who holds the present one and the host's token: once a challenge, and nobody else."""

import asyncio
import base64
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from controller.app import Deps, create_app
from controller.probing.authority import make_authority, make_controller_pair, sign_host
from controller.services.device_rules import DeviceRules
from shared.enrolment import to_be_signed
from shared.protocol import sign
from tests.fixtures.certificates import a_key_and_csr
from tests.fixtures.explainers import an_explainer
from tests.integration.api.conftest import Api

YEAR, MINUTE = timedelta(days=365), timedelta(minutes=1)


@dataclass(frozen=True)
class Agent:
    """What an enrolled host's agent has."""

    host_id: str
    token: str
    key: str
    certificate: str

    def request(self, challenge: str, csr: str = "", **changes: str) -> dict[str, str]:
        csr = csr or a_key_and_csr()[1]
        message = to_be_signed(self.host_id, challenge, csr)
        signed = {
            "host_id": self.host_id,
            "challenge": challenge,
            "csr": csr,
            "certificate": self.certificate,
            "signature": base64.b64encode(_signature(self.key, message)).decode(),
            "proof": sign(self.token, challenge, message),
        }
        return {**signed, **changes}


def _signature(key: str, message: bytes) -> bytes:
    private = serialization.load_pem_private_key(key.encode(), password=None)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.sign(message, ec.ECDSA(hashes.SHA256()))


async def enrolled(site: Api, name: str = "a", made: tuple[str, str] | None = None) -> Agent:
    """A host's agent, an hour after it enrolled."""
    key, csr = made or a_key_and_csr()
    token = (await site.ok("POST", f"/hosts/{name}/join-token"))["join_token"]
    got = (await site.nobody.post("/api/v1/enrol", json={"join_token": token, "csr": csr})).json()
    site.clock.advance(timedelta(hours=1))
    return Agent(got["host_id"], got["agent_token"], key, got["certificate"])


async def challenge_for(site: Api, host_id: str) -> str:
    answer = await site.nobody.post("/api/v1/renew/challenge", json={"host_id": host_id})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["challenge"])


async def renew(site: Api, agent: Agent, csr: str = "", **changes: str) -> httpx.Response:
    return await send(site, agent.request(await challenge_for(site, agent.host_id), csr, **changes))


async def send(site: Api, request: dict[str, str]) -> httpx.Response:
    return await site.nobody.post("/api/v1/renew", json=request)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("code", ""))


@pytest.mark.parametrize("kind", ["a curve", "RSA"])
async def test_who_holds_the_present_certificate_gets_the_next_one(site: Api, kind: str) -> None:
    keys = a_key_and_csr(lambda: rsa.generate_private_key(65537, 2048)) if kind == "RSA" else None
    agent = await enrolled(site, made=keys)
    until = (await site.ok("GET", "/hosts/a"))["agent_tls_until"]
    site.clock.advance(timedelta(days=300))
    key, csr = a_key_and_csr()
    answer = await renew(site, agent, csr)
    assert answer.status_code == 200, answer.text
    certificate = x509.load_pem_x509_certificate(answer.json()["certificate"].encode())
    assert certificate.not_valid_after_utc == await site.clock.now() + YEAR
    assert certificate.public_key() == x509.load_pem_x509_csr(csr.encode()).public_key()
    shown = await site.ok("GET", "/hosts/a")
    assert shown["agent_tls_until"] > until
    async with site.store.transaction() as tx:
        host = await tx.host(agent.host_id)
    assert host is not None
    assert host.agent_token == agent.token, "the agent answers with the token it has"

    site.clock.advance(timedelta(days=100))
    again = replace(agent, key=key, certificate=answer.json()["certificate"])
    assert (await renew(site, again)).status_code == 200
    rows = (await site.ok("GET", "/audit"))["items"]
    assert [row["actor"] for row in rows if row["action"] == "host.renew"] == ["agent", "agent"]


async def test_the_present_certificate_stays_good_for_a_lost_answer(site: Api) -> None:
    agent = await enrolled(site)
    assert (await renew(site, agent)).status_code == 200
    site.clock.advance(MINUTE)
    assert (await renew(site, agent)).status_code == 200


async def test_a_renewal_that_is_sent_again_is_refused(site: Api) -> None:
    agent = await enrolled(site)
    request = agent.request(await challenge_for(site, agent.host_id))
    assert (await send(site, request)).status_code == 200
    assert code(await send(site, request)) == (403, "challenge_refused")


async def test_of_two_with_one_challenge_one_gets_it(site: Api) -> None:
    agent = await enrolled(site)
    challenge = await challenge_for(site, agent.host_id)
    answers = await asyncio.gather(*(send(site, agent.request(challenge)) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 403]


async def test_a_challenge_ends_after_a_minute(site: Api) -> None:
    agent = await enrolled(site)
    request = agent.request(await challenge_for(site, agent.host_id))
    site.clock.advance(MINUTE + timedelta(seconds=1))
    assert code(await send(site, request)) == (403, "challenge_refused")


async def test_a_challenge_of_another_host_or_of_ones_own_is_none(site: Api) -> None:
    agent, other = await enrolled(site), await enrolled(site, "b")
    foreign = await challenge_for(site, other.host_id)
    assert code(await send(site, agent.request(foreign))) == (403, "challenge_refused")
    own = await challenge_for(site, agent.host_id)
    at, nonce, seal = own.split(".")
    for made in (f"{int(at) + 1}.{nonce}.{seal}", f"{at}.{nonce}.{'0' * 64}", "1", ".", "0.0.0"):
        assert code(await send(site, agent.request(made))) == (403, "challenge_refused"), made


async def test_any_controller_of_the_database_takes_a_challenge(site: Api) -> None:
    agent = await enrolled(site)
    rules = DeviceRules(drivers=frozenset({"ipmi"}))
    app = create_app(
        Deps(
            store=site.store,
            clock=site.clock,
            operations=site.operations,
            device_rules=rules,
            explainer=an_explainer(site.store, site.clock),
            version="1",
        )
    )
    request = agent.request(await challenge_for(site, agent.host_id))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://other.test") as other:
        assert (await other.post("/api/v1/renew", json=request)).status_code == 200


async def test_a_certificate_that_has_ended_renews_nothing(site: Api) -> None:
    agent = await enrolled(site)
    site.clock.advance(YEAR - timedelta(hours=1) - MINUTE)
    assert (await renew(site, agent)).status_code == 200, "up to the last minute"
    site.clock.advance(MINUTE)
    refused = await renew(site, agent)
    assert code(refused) == (403, "certificate_ended")
    assert "join-token" in refused.json()["detail"]


async def test_after_another_enrolment_the_earlier_credentials_renew_nothing(site: Api) -> None:
    stolen = await enrolled(site)
    mine = await enrolled(site)
    refused = await renew(site, stolen)
    assert code(refused) == (403, "renewal_refused")
    assert "enrolled again" in refused.json()["detail"]
    mixed = replace(mine, key=stolen.key, certificate=stolen.certificate)
    until = (await site.ok("GET", "/hosts/a"))["agent_tls_until"]
    assert (await renew(site, replace(mixed, token=stolen.token))).status_code == 403
    assert (await site.ok("GET", "/hosts/a"))["agent_tls_until"] == until
    assert (await renew(site, mine)).status_code == 200


async def test_a_host_that_was_removed_or_given_another_token_is_refused(site: Api) -> None:
    agent, other = await enrolled(site), await enrolled(site, "b")
    await site.ok("POST", "/hosts/b/agent-token")
    assert code(await renew(site, other)) == (403, "renewal_refused")
    await site.ok("DELETE", "/hosts/a")
    refused = await renew(site, agent)
    assert code(refused) == (403, "renewal_refused")
    assert "removed" in refused.json()["detail"]


async def test_a_host_that_never_enrolled_gets_nothing(site: Api) -> None:
    host = (await site.ok("GET", "/hosts/a"))["id"]
    answer = await site.nobody.post("/api/v1/renew/challenge", json={"host_id": host})
    assert code(answer) == (403, "renewal_refused"), "nobody has enrolled: there is no authority"
    other = await enrolled(site, "b")
    async with site.store.transaction() as tx:
        plain = await tx.host(host)
        authority = await tx.authority()
    assert plain is not None
    assert authority is not None
    key, csr = a_key_and_csr()
    certificate, _ = sign_host(authority, csr, host, now=await site.clock.now())
    made_up = Agent(host, plain.agent_token, key, certificate)
    assert code(await renew(site, made_up)) == (403, "renewal_refused")
    assert (await renew(site, other)).status_code == 200


async def _not_the_holder(site: Api, agent: Agent, other: Agent) -> dict[str, Agent]:
    foreign = make_authority(await site.clock.now())
    certificate, _ = sign_host(foreign, a_key_and_csr()[1], agent.host_id, now=await site.clock.now())
    return {
        "the token alone": replace(agent, key=a_key_and_csr()[0]),
        "another host's key and certificate": replace(agent, key=other.key, certificate=other.certificate),
        "a certificate of another authority": replace(agent, certificate=certificate),
        "no certificate": replace(agent, certificate="hello"),
    }


async def test_nobody_but_the_holder_of_key_certificate_and_token_gets_one(site: Api) -> None:
    agent, other = await enrolled(site), await enrolled(site, "b")
    for case, who in (await _not_the_holder(site, agent, other)).items():
        assert code(await renew(site, who)) == (403, "bad_signature"), case
    thief = replace(agent, token=other.token)
    assert code(await renew(site, thief)) == (403, "renewal_refused"), "key and certificate without the token"
    for part in ({"signature": "AAAA"}, {"signature": "no base64!"}, {"signature": "\u00e9"}):
        assert code(await renew(site, agent, **part)) == (403, "bad_signature"), part
    for part in ({"proof": "00"}, {"proof": "\u00e9"}):
        assert code(await renew(site, agent, **part)) == (403, "renewal_refused"), part
    swapped = {**agent.request(await challenge_for(site, agent.host_id)), "csr": a_key_and_csr()[1]}
    assert code(await send(site, swapped)) == (403, "renewal_refused"), "somebody in between wants it for another key"
    assert (await renew(site, agent)).status_code == 200, "none of these used anything up"


async def test_the_controllers_own_certificate_is_no_hosts(site: Api) -> None:
    agent = await enrolled(site)
    async with site.store.transaction() as tx:
        authority = await tx.authority()
    assert authority is not None
    pair = make_controller_pair(authority, now=await site.clock.now())
    key, mark, certificate = pair.partition("-----BEGIN CERTIFICATE-----")
    assert code(await renew(site, replace(agent, key=key, certificate=mark + certificate))) == (403, "bad_signature")


async def test_a_bad_request_for_a_certificate_changes_nothing(site: Api) -> None:
    agent = await enrolled(site)
    before = await site.ok("GET", "/hosts/a")
    weak = a_key_and_csr(lambda: ec.generate_private_key(ec.SECP256K1()))[1]
    for csr in ("hello", weak):
        assert code(await renew(site, agent, csr)) == (422, "bad_csr")
    assert await site.ok("GET", "/hosts/a") == before


async def test_a_second_certificate_within_a_minute_is_refused(site: Api) -> None:
    agent = await enrolled(site)
    assert (await renew(site, agent)).status_code == 200
    site.clock.advance(MINUTE - timedelta(seconds=1))
    assert code(await renew(site, agent)) == (409, "renewed_just_now")


@pytest.mark.parametrize("host_id", ["", "x" * 65, "a\u0000b", "../a", 7, None])
async def test_what_is_no_host_id_is_refused_unasked(site: Api, host_id: Any) -> None:
    assert (await site.nobody.post("/api/v1/renew/challenge", json={"host_id": host_id})).status_code == 422


async def test_a_challenge_does_not_say_who_exists(site: Api) -> None:
    agent = await enrolled(site)
    real, made_up = await challenge_for(site, agent.host_id), await challenge_for(site, "nobody")
    assert [len(part) for part in real.split(".")] == [len(part) for part in made_up.split(".")]


async def test_without_a_database_nothing_is_renewed(site: Api) -> None:
    agent = await enrolled(site)
    request = agent.request(await challenge_for(site, agent.host_id))
    site.clock.broken = True
    assert (await send(site, request)).status_code == 503
    site.clock.broken = False
    assert (await send(site, request)).status_code == 200


async def test_a_large_renewal_is_refused_unread(site: Api) -> None:
    for path in ("/api/v1/renew", "/api/v1/renew/challenge"):
        large = await site.nobody.post(path, content=b"x" * (16 * 1024 + 1))
        assert code(large) == (413, "too_large")
