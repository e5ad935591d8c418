"""The pages of a real controller process: its first token, its restart, its end."""

import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet

from tests.fixtures.controller import ControllerProcess
from tests.fixtures.postgres import fresh_database
from tests.web.conftest import OpenWindow, Window


@pytest_asyncio.fixture(loop_scope="session")
async def controller(tmp_path: Path) -> AsyncIterator[ControllerProcess]:
    key = Fernet.generate_key().decode()
    async for url in fresh_database("wheel"):
        process = ControllerProcess(tmp_path / "data", HOSTFENCE_DATABASE_URL=url, HOSTFENCE_ENCRYPTION_KEY=key)
        process.start()
        yield process
        process.close()


@pytest.mark.e2e
async def test_the_first_token_signs_in_and_the_page_outlives_a_restart(
    controller: ControllerProcess, open_window: OpenWindow
) -> None:
    window: Window = await open_window()
    window.allow("net::ERR|Failed to load resource|Send Error|EventSource")
    page = window.page
    await page.goto(f"{controller.url}/")
    await page.get_by_text("With a token instead").click()
    await page.get_by_label("API token").fill(controller.token)
    await page.get_by_role("button", name="Sign in with the token").click()
    await page.get_by_text("Nothing to watch yet").wait_for()
    await window.live()
    await page.evaluate("window.stillHere = true")
    began = time.monotonic()
    assert controller.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 15, "an open stream kept the process from ending"
    await page.get_by_text("Not live since").wait_for()
    controller.start()
    await page.wait_for_selector("#live-state[data-state=live]", timeout=30_000)
    await page.get_by_text("Nothing to watch yet").wait_for()
    assert await page.evaluate("window.stillHere") is True
