"""Without a mouse, without motion: everything is reached by Tab, the dialog keeps the focus and gives it back."""

import pytest

from tests.web import a_story, test_host_page, test_overview
from tests.web.conftest import Window
from tests.web.site import Site

WATCH = """() => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const there = (one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled;
  window.wanted = () => [...document.querySelectorAll(wanted)].filter(there);
  window.reached = [];
  window.unseen = [];
  document.addEventListener("focusin", (event) => {
    window.reached.push(event.target);
    const style = getComputedStyle(event.target);
    if (style.outlineStyle === "none" && style.boxShadow === "none") window.unseen.push(event.target.outerHTML);
  });
}"""
MISSED = "() => window.wanted().filter((one) => !window.reached.includes(one)).map((one) => one.outerHTML)"
ORDER = """() => window.reached.every(
  (one, at, all) => !at || all[at - 1].compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING
)"""
INSIDE = """() => {
  const at = document.activeElement;
  return at === document.body || document.getElementById("dialog").contains(at) || at.outerHTML;
}"""


@pytest.mark.parametrize("path", ["/", "/incidents/i1", "/hosts/h1"])
async def test_tab_reaches_everything_in_the_order_of_the_page(site: Site, operator: Window, path: str) -> None:
    match path:
        case "/":
            await test_overview.furnish(site)
        case "/incidents/i1":
            await a_story.neighbors(site)
            await a_story.held_for_a_day(await site.now(), rounds=20).store(site)
        case _:
            await test_host_page.furnish(site)
            await test_host_page.heartbeat(site, moved_age=2.0)
    page = await operator.goto(path)
    await operator.live()
    if path == "/hosts/h1":
        await page.get_by_text("If it died now,").wait_for()
    await page.evaluate(WATCH)
    many = await page.evaluate("window.wanted().length")
    assert many > 10
    for _ in range(many):
        await page.keyboard.press("Tab")
    assert await page.evaluate(MISSED) == []
    assert await page.evaluate(ORDER)
    assert await page.evaluate("window.unseen") == [], "has the focus, and does not look like it"


async def test_the_first_tab_offers_to_skip_the_navigation(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    page = await viewer.goto("/")
    await page.keyboard.press("Tab")
    assert await page.locator(":focus").inner_text() == "Skip to the page"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("left_by", ["Escape", "Do nothing", "Close"])
async def test_the_dialog_keeps_the_focus_and_gives_it_back(site: Site, operator: Window, left_by: str) -> None:
    await site.add_cluster("c1")
    page = await operator.goto("/")
    await operator.live()
    await page.get_by_role("link", name="Pause all fencing").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why?").wait_for()
    assert await dialog.get_by_label("Why?").evaluate("one => one === document.activeElement")
    for key in ["Tab"] * 9 + ["Shift+Tab"] * 9:
        await page.keyboard.press(key)
        assert await page.evaluate(INSIDE) is True
    if left_by == "Escape":
        await page.keyboard.press("Escape")
    else:
        await dialog.get_by_text(left_by).or_(dialog.get_by_label(left_by)).press("Enter")
    await dialog.wait_for(state="hidden")
    assert await page.locator(":focus").inner_text() == "Pause all fencing"


async def test_nothing_moves_for_those_who_want_no_motion(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    page = await viewer.goto("/")
    await viewer.live()
    await page.locator("#live-state").evaluate("one => one.dataset.state = 'connecting'")
    await page.wait_for_function("document.getAnimations().length === 1")
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate("document.getAnimations().length") == 0
    moves = """() => [...document.querySelectorAll("*")].map((one) => getComputedStyle(one)).filter(
      (style) => parseFloat(style.transitionDuration) > 0 || style.scrollBehavior === "smooth"
    ).length"""
    assert await page.evaluate(moves) == 0
