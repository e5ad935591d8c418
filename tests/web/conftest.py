"""One Chromium and one site a run (of each worker), on one event loop; a fresh browser context and empty rows a test.

A test fails when the page's console has an error (a violation of the content security policy is one) or when a script
throws. With `HOSTFENCE_TEST_SCREENS=1` pictures are kept in `.artifacts/screens`.
"""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from controller.app import WebOptions
from controller.domain.model import Role
from controller.services import passwords
from tests.fixtures.counterparts import debian_program
from tests.fixtures.postgres import fresh_database
from tests.web.site import Site, a_site

SCREENS = Path(__file__).parents[2] / ".artifacts" / "screens"
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Theme = Literal["light", "dark"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them share the browser's event loop, and need it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.debian("chromium"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = debian_program("chromium")
    assert program is not None
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_site() -> AsyncIterator[Site]:
    """Shared; take `site`."""
    options = WebOptions(frame_ancestors=("http://localhost:*",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_LOG_N", 10)  # real scrypt, with a cost that fits a test
        async for url in fresh_database("wheel"):
            async with a_site(url, options) as made:
                yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(the_site: Site) -> Site:
    """The site, empty but for its tokens and users."""
    await the_site.empty()
    return the_site


@dataclass(slots=True)
class Window:
    """One browser window, and what went wrong in it."""

    page: Page
    context: BrowserContext
    site: Site
    prefix: str = "/ui"
    problems: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    async def goto(self, path: str) -> Page:
        """A path inside the pages; waits until the page is live where it is one that can be."""
        await self.page.goto(f"{self.site.url}{self.prefix}{path}")
        return self.page

    async def live(self) -> None:
        """Wait until the page listens to what changes."""
        await self.page.wait_for_selector("#live-state[data-state=live]")

    def allow(self, pattern: str) -> None:
        """A console message that this test causes on purpose."""
        self.allowed.append(re.compile(pattern))

    def heard(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self.allowed):
            self.problems.append(text)

    async def check_accessible(self) -> None:
        """axe-core finds nothing serious on the page as it is."""
        found = await Axe().run(self.page)
        serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        said = [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}" for one in serious]
        assert not said, "\n".join(said)

    async def pictures(self, name: str) -> None:
        """Light, dark and on a phone, where they are wanted; and nothing is wider than a phone."""
        for size, (width, height) in SIZES.items():
            await self.page.set_viewport_size({"width": width, "height": height})
            if size == "phone":
                wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name}: {wide} pixels wider than a phone"
            for theme in ("light", "dark"):
                await self.page.emulate_media(color_scheme=theme)
                if os.environ.get("HOSTFENCE_TEST_SCREENS") or os.environ.get("CI"):
                    SCREENS.mkdir(parents=True, exist_ok=True)
                    path = SCREENS / f"{name}-{size}-{theme}.png"
                    # Hiding the caret would need a style of Playwright's own, which the policy forbids.
                    await self.page.screenshot(path=path, full_page=True, caret="initial")
        await self.page.emulate_media(color_scheme="light")
        await self.page.set_viewport_size({"width": SIZES["wide"][0], "height": SIZES["wide"][1]})


OpenWindow = Callable[..., Awaitable[Window]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_window(browser: Browser, site: Site) -> AsyncIterator[OpenWindow]:
    """`await open_window(Role.ADMIN)`: another browser, signed in with that role's token; without a role nobody."""
    windows: list[Window] = []

    async def make(role: Role | None = None, *, prefix: str = "/ui") -> Window:
        context = await browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", color_scheme="light")
        context.set_default_timeout(10_000)
        page = await context.new_page()
        window = Window(page=page, context=context, site=site, prefix=prefix)
        page.on("console", lambda message: _listen(window, message))
        page.on("pageerror", lambda error: window.heard(f"a script threw: {error}"))
        windows.append(window)
        if role is not None:
            await sign_in(window, site.tokens[role])
        return window

    yield make
    for window in windows:
        await window.context.close()
    problems = [one for window in windows for one in window.problems]
    assert not problems, "the console says:\n" + "\n".join(problems)


@pytest_asyncio.fixture(loop_scope="session")
async def admin(open_window: OpenWindow) -> Window:
    return await open_window(Role.ADMIN)


@pytest_asyncio.fixture(loop_scope="session")
async def operator(open_window: OpenWindow) -> Window:
    return await open_window(Role.OPERATOR)


@pytest_asyncio.fixture(loop_scope="session")
async def viewer(open_window: OpenWindow) -> Window:
    return await open_window(Role.VIEWER)


async def sign_in(window: Window, token: str) -> None:
    """By the form, as a person would."""
    await window.goto("/sign-in")
    await window.page.get_by_text("With a token instead").click()
    await window.page.get_by_label("API token").fill(token)
    await window.page.get_by_role("button", name="Sign in with the token").click()
    await window.page.wait_for_url(f"**{window.prefix}/")


def _listen(window: Window, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        window.heard(f"{message.type}: {message.text}")
