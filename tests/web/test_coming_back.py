"""A pause is made where a person is, and they are there again afterwards."""

import pytest

from tests.web import a_story, test_host_page
from tests.web.conftest import Window
from tests.web.site import Site


@pytest.mark.parametrize(("path", "button"), [("/hosts/h1", "Pause…"), ("/incidents/i1", "Pause")])
async def test_a_pause_leaves_one_where_one_was(site: Site, operator: Window, path: str, button: str) -> None:
    if path == "/hosts/h1":
        await test_host_page.furnish(site)
    else:
        await a_story.neighbors(site)
        await a_story.held_for_a_day(await site.now(), rounds=3).store(site)
    operator.allow("status of 422|Status Error Code 422")
    page = await operator.goto(path)
    await operator.live()
    await page.get_by_role("link", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why?").fill("  ")
    await dialog.get_by_role("button", name="Pause fencing").click()
    await dialog.get_by_text("say why").wait_for()  # refused once: the way back is kept
    await dialog.get_by_label("Why?").fill("new disk")
    await dialog.get_by_role("button", name="Pause fencing").click()
    await page.get_by_text("Fencing is paused on host kvm-").first.wait_for()
    assert page.url == f"{site.url}/ui{path}"


async def test_lifting_leaves_one_at_the_incident(site: Site, operator: Window) -> None:
    await a_story.neighbors(site)
    await a_story.held_for_a_day(await site.now(), rounds=3).store(site)
    page = await operator.goto("/incidents/i1")
    await page.get_by_role("link", name="Pause", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Why?").fill("new disk")
    await page.get_by_role("dialog").get_by_role("button", name="Pause fencing").click()
    await page.get_by_role("link", name="Lift").click()
    await page.get_by_role("dialog").get_by_label("Why?").fill("done")
    await page.get_by_role("dialog").get_by_role("button", name="Lift the pause").click()
    await page.get_by_text("The pause is lifted.").wait_for()
    assert page.url == f"{site.url}/ui/incidents/i1"


async def test_without_scripts_too(site: Site, operator: Window) -> None:
    await test_host_page.furnish(site)
    page = await operator.goto("/pauses/new?level=host&owner=h1&back=/hosts/h1")
    await page.get_by_label("Why?").fill("new disk")
    await page.get_by_role("button", name="Pause fencing").click()
    await page.wait_for_url("**/ui/hosts/h1")


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aX: y",
    ],
)
async def test_no_other_site_can_be_the_way_back(site: Site, operator: Window, back: str) -> None:
    page = await operator.goto("/")
    answer = await page.request.get(f"{site.url}/ui/pauses/new", params={"back": back})
    form = await answer.text()
    csrf = form.partition('name="csrf" value="')[2].partition('"')[0]
    done = await page.request.post(
        f"{site.url}/ui/pauses/new",
        form={"csrf": csrf, "reason": "x", "back": back},
        headers={"Sec-Fetch-Site": "same-origin"},
        max_redirects=0,
    )
    assert (done.status, done.headers["location"]) == (303, "/ui/")
