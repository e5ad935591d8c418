"""End to end in the demo's world: a host dies, and one browser page shows it from suspicion to the release.

A real controller with its engine, probe agents as processes, BMCs that speak IPMI, the tests' CloudStack. The page is
never loaded again.
"""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from typing_extensions import override

from demo import cloudstack, setup, times
from demo.api import Api
from demo.tell import Teller
from demo.world import World, made_world
from tests.web.conftest import OpenWindow

DYING = "kvm-a"
SHORTEST = {"watch_timeout": 6, "grace": 0, "check_interval": 5, "additional_checks": 0, "off_reads": 2}
"""On top of the demo's own times; all within the ranges that hostfence accepts."""
CLOUD_FASTER = 6
"""Its ping time-out is 25 s: after the quarantine, so that it starts nothing by itself."""
WITHIN_MS = 90_000

_WATCH = """() => {
  window.neverReloaded = true;
  window.states = [];
  const look = () => {
    const said = document.querySelector("#state .pill");
    const word = said && said.textContent.trim();
    if (word && window.states.at(-1) !== word) window.states.push(word);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


class Silent(Teller):
    """The demo's story is not told here."""

    @override
    def plain(self, text: str) -> None:
        """Nothing."""


@pytest_asyncio.fixture(loop_scope="session")
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Three hosts, armed and ready; CloudStack is followed all the while, as its agents would."""
    for name, value in SHORTEST.items():
        monkeypatch.setitem(times.TIMES, name, value)
    monkeypatch.setattr(cloudstack, "FASTER", CLOUD_FASTER)
    tell = Silent()
    with made_world(tell) as made:
        await asyncio.to_thread(_start, made, tell)
        over = threading.Event()
        following = asyncio.create_task(asyncio.to_thread(_follow, made, over))
        try:
            yield made
        finally:
            over.set()
            await following


def _start(world: World, tell: Teller) -> None:
    world.power_up()
    world.start_cloud()
    world.start_servers()
    api = Api(world.url, world.token)
    try:
        setup.set_up(world, api, tell)
    finally:
        api.close()


def _follow(world: World, over: threading.Event) -> None:
    while not over.wait(0.25):
        world.follow_cloud()


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_page_shows_a_host_from_suspicion_to_its_release_without_being_loaded_again(
    world: World, open_window: OpenWindow
) -> None:
    window = await open_window()
    page = window.page
    await page.goto(f"{world.url}/")
    await page.get_by_text("With a token instead").click()
    await page.get_by_label("API token").fill(world.token)
    await page.get_by_role("button", name="Sign in with the token").click()
    await page.get_by_text("No open incident.").wait_for()
    await window.live()

    await asyncio.to_thread(world.machines[DYING].lose_power)
    world.cloud.died(DYING)
    await page.locator("#right-now table").get_by_role("link", name=DYING).click(timeout=30_000)
    await page.evaluate(_WATCH)
    await page.get_by_text("neighbors are asked whether it lives").wait_for(timeout=WITHIN_MS)
    await page.locator(".steps").get_by_text("Power off").wait_for(timeout=WITHIN_MS)
    await page.get_by_text(f"{DYING} was fenced: it is off").wait_for(timeout=WITHIN_MS)

    states = await page.evaluate("window.states")
    order = ["suspect", "checking", "fencing", "verifying", "releasing", "fenced"]
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states), states
    assert {"checking", "verifying", "releasing", "fenced"} <= set(states)
    assert await page.evaluate("window.neverReloaded") is True
    lanes = await page.locator(".picture-names span").all_inner_texts()
    assert {"State", "Check rounds", "kvm-b", "kvm-c", "Power", "Power commands", "Cloud"} <= set(lanes)
    titles = await page.locator(".picture-lanes title").all_text_contents()
    for said in ("off is proven", "power off through", "power state off", "quarantine: done", "no heartbeat for"):
        assert any(said in title for title in titles), said
    assert await page.locator(".machines").get_by_text("released: may run elsewhere").count() == 2
    assert await page.get_by_text("released by cloud").count() == 0
    await window.check_accessible()
    await window.pictures("incident-end-to-end")
