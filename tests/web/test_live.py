from datetime import timedelta

from controller.domain.incident import State
from tests.web.conftest import Window
from tests.web.site import Site


async def test_an_incident_appears_and_moves_on_without_a_reload(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1", name="kvm-1")
    page = await viewer.goto("/")
    await viewer.live()
    await page.evaluate("window.stillHere = true")
    incident = await site.add_incident("i1", next_step_at=await site.now() + timedelta(seconds=50))
    await page.locator("#right-now").get_by_text("suspect").wait_for()
    await site.change_incident(incident, state=State.HELD)
    await page.locator("#right-now .pill").get_by_text("held").wait_for()
    assert await page.locator("#announcer").inner_text() == "1 open: kvm-1 held"
    assert await page.evaluate("window.stillHere") is True


async def test_what_was_opened_and_typed_stays_while_the_page_renews_itself(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    for number in (1, 2, 3):
        await site.add_host(f"h{number}", name=f"kvm-{number}")
    page = await viewer.goto("/")
    await viewer.live()
    await page.keyboard.press("/")
    await page.keyboard.type("kvm-2")
    assert await page.locator("#found").inner_text() == "1 of 3"
    await site.add_incident("i1", host_id="h1")
    await page.locator("#right-now").get_by_text("suspect").wait_for()
    assert await page.locator("#clusters [data-find]:visible").count() == 1
    assert await page.evaluate("document.activeElement.id") == "find"


async def test_times_are_the_viewers_with_utc_on_hover(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1")
    incident = await site.add_incident("i1")
    page = await viewer.goto("/incidents/i1")
    when = page.locator("#state time[data-time]").first
    in_berlin = await page.evaluate(
        "at => new Date(at).toLocaleTimeString('en-GB', {timeZone: 'Europe/Berlin'})",
        incident.disconnect_at.isoformat(),
    )
    assert in_berlin in await when.inner_text()
    assert await when.get_attribute("title") == f"{incident.disconnect_at:%Y-%m-%d %H:%M:%S} UTC"
