"""In a frame of a page of another origin, as in CloudStack's UI."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from controller.domain.model import Role
from tests.web.conftest import OpenWindow
from tests.web.site import Site


@pytest_asyncio.fixture(loop_scope="session")
async def around(site: Site) -> AsyncIterator[str]:
    """The address of a page of another site (`localhost`, where we are 127.0.0.1) with our overview in a frame."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        frame = f'<iframe title="hostfence" width="1000" height="700" src="{site.url}{path}"></iframe>'
        body = f"<!doctype html><title>around</title><link rel=icon href=data:,>{frame}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"


async def test_one_signs_in_and_goes_about_inside_a_frame(site: Site, open_window: OpenWindow, around: str) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1", name="kvm-7", external_id="uuid-7")
    window = await open_window()
    await window.page.goto(f"{around}/embed/go/host/uuid-7")
    frame = window.page.frame_locator("iframe")
    await frame.get_by_text("With a token instead").click()
    await frame.get_by_label("API token").fill(site.tokens[Role.VIEWER])
    await frame.get_by_role("button", name="Sign in with the token").click()
    await frame.get_by_role("heading", name="kvm-7").wait_for()
    assert await frame.get_by_role("navigation").count() == 0
    await frame.get_by_role("link", name="cluster c1").click()
    await frame.get_by_role("heading", name="Overview").wait_for()
    await frame.locator("#live-state[data-state=live]").wait_for()


async def test_an_origin_that_is_not_listed_is_refused_by_the_browser(open_window: OpenWindow, around: str) -> None:
    window = await open_window()
    window.allow("frame-ancestors|chromewebdata")
    await window.page.goto(f"{around}/embed/sign-in")  # listed: what follows is refused for its origin alone
    await window.page.frame_locator("iframe").get_by_text("With a token instead").wait_for()
    unlisted = around.replace("localhost", "127.0.0.1")
    async with window.page.expect_console_message(lambda said: "frame-ancestors http://localhost:*" in said.text):
        await window.page.goto(f"{unlisted}/embed/sign-in")
    assert await window.page.frame_locator("iframe").get_by_text("With a token instead").count() == 0


async def test_the_pages_with_navigation_are_in_nobodys_frame(open_window: OpenWindow, around: str) -> None:
    window = await open_window()
    window.allow("frame-ancestors|X-Frame-Options|Framing|chromewebdata")
    async with window.page.expect_console_message(lambda said: "frame-ancestors 'none'" in said.text):
        await window.page.goto(f"{around}/ui/sign-in")
    assert await window.page.frame_locator("iframe").get_by_text("With a token instead").count() == 0
