"""The same pages by plain HTTP: what a browser would not do, and what it is told."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from controller.domain.model import Role
from tests.web.site import PASSWORD, Site

OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture(loop_scope="session")
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as made:
        yield made


async def signed_in(client: httpx.AsyncClient, site: Site, prefix: str = "/ui") -> None:
    answer = await client.post(f"{prefix}/sign-in", data={"token": site.tokens[Role.ADMIN]}, headers=OURS)
    assert answer.status_code == 303


async def csrf(client: httpx.AsyncClient) -> str:
    page = await client.get("/ui/account")
    return page.text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
async def test_a_form_from_elsewhere_is_refused(site: Site, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/ui/sign-in", data={"token": site.tokens[Role.ADMIN]}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_an_older_browser_says_where_it_comes_from(site: Site, client: httpx.AsyncClient) -> None:
    answer = await client.post("/ui/sign-in", data={"token": site.tokens[Role.ADMIN]}, headers={"Origin": site.url})
    assert answer.status_code == 303


async def test_a_form_needs_this_sessions_own_token(site: Site, client: httpx.AsyncClient) -> None:
    await signed_in(client, site)
    good = await csrf(client)
    assert good != await csrf(client)  # masked anew each time
    for token in ("", "nonsense", good[:-4] + "AAAA"):
        answer = await client.post("/ui/sign-out", data={"csrf": token}, headers=OURS)
        assert (answer.status_code, "earlier sign-in" in answer.text) == (419, True)
    await signed_in(client, site)
    assert (await client.post("/ui/sign-out", data={"csrf": good}, headers=OURS)).status_code == 419
    right = await csrf(client)
    assert (await client.post("/ui/sign-out", data={"csrf": right}, headers=OURS)).status_code == 303


async def test_only_forms_of_a_form_s_size_are_read(site: Site, client: httpx.AsyncClient) -> None:
    await signed_in(client, site)
    assert (await client.post("/ui/sign-out", json={"csrf": "x"}, headers=OURS)).status_code == 415
    huge = {"csrf": "x" * 300_000}
    assert (await client.post("/ui/sign-out", data=huge, headers=OURS)).status_code == 413


async def test_guessing_is_slowed_down(site: Site, client: httpx.AsyncClient) -> None:
    try:
        for _ in range(10):
            answer = await client.post("/ui/sign-in", data={"name": "Admin", "password": "guess"}, headers=OURS)
            assert answer.status_code == 401
        right = {"name": "admin", "password": PASSWORD}
        answer = await client.post("/ui/sign-in", data=right, headers=OURS)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        await signed_in(client, site)  # a token gets in all the same
    finally:
        site.pages.state.sign_in_limits.forget()


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nSet-Cookie: a=b"])
async def test_signing_in_leads_nowhere_else(site: Site, client: httpx.AsyncClient, to: str) -> None:
    data = {"token": site.tokens[Role.ADMIN], "next": to}
    answer = await client.post("/ui/sign-in", data=data, headers=OURS)
    assert answer.headers["location"] == "/ui/signed-in?next=/"


async def test_no_page_may_be_framed_or_run_what_is_not_ours(site: Site, client: httpx.AsyncClient) -> None:
    await signed_in(client, site)
    answer = await client.get("/ui/")
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert "style=" not in answer.text
    assert "<style" not in answer.text


async def test_the_embedded_face_has_a_cookie_of_its_own(site: Site, client: httpx.AsyncClient) -> None:
    answer = await client.post("/embed/sign-in", data={"token": site.tokens[Role.ADMIN]}, headers=OURS)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-hostfence-embedded=")
    for part in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"):
        assert part in cookie
    page = await client.get("/embed/sign-in")
    assert "frame-ancestors http://localhost:*" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers


async def test_a_token_is_in_no_answer(site: Site, client: httpx.AsyncClient) -> None:
    await signed_in(client, site)
    cookie = client.cookies["hostfence"]
    for path in ("/ui/", "/ui/account", "/ui/incidents"):
        text = (await client.get(path)).text
        assert site.tokens[Role.ADMIN] not in text
        assert cookie not in text


@pytest.mark.parametrize(
    ("path", "status"), [("/ui/nothing-here", 404), ("/ui/hosts/nobody", 404), ("/ui/incidents/none", 404)]
)
async def test_what_is_not_there_is_said_in_the_layout(
    site: Site, client: httpx.AsyncClient, path: str, status: int
) -> None:
    await signed_in(client, site)
    answer = await client.get(path)
    assert answer.status_code == status
    assert '<nav aria-label="Main">' in answer.text


async def test_links_of_messages_lead_to_the_pages(client: httpx.AsyncClient) -> None:
    for path in ("/", "/incidents/i1", "/hosts/h1"):
        assert (await client.get(path)).headers["location"] == f"/ui{path}"
    assert (await client.get("/ui")).headers["location"] == "/ui/"
