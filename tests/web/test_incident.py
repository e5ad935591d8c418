"""One incident: what it says, what is drawn, and that it keeps itself up to date."""

from datetime import timedelta

from controller.domain.incident import State
from tests.web import a_story
from tests.web.conftest import Window
from tests.web.site import Site

_PLACE = "document.querySelector('.picture').getBoundingClientRect().top"


async def test_a_fenced_host_is_told_and_drawn_from_disconnect_to_release(site: Site, viewer: Window) -> None:
    await a_story.neighbors(site)
    now = await site.now()
    story = a_story.fenced(now)
    await story.store(site)
    await a_story.tell(site, "i1", now)
    page = await viewer.goto("/incidents/i1")
    await viewer.live()
    await page.get_by_text("kvm-7 was fenced: it is off, and its machines were released.").wait_for()
    names = await page.locator(".picture-names span").all_inner_texts()
    assert names == [
        "",
        "State",
        "Check rounds",
        "kvm-8",
        "kvm-9",
        "Heartbeat on primary",
        "Writes on primary",
        "Its address",
        "Power",
        "Power commands",
        "Cloud",
    ]
    assert await page.locator(".picture svg .disconnect").count() >= 1
    await page.get_by_text("The same as a table").click()
    await page.locator(".as-table").get_by_text("off is proven").first.wait_for()
    machines = page.locator(".machines")
    assert "did not start elsewhere" in await machines.get_by_role("row", name="r-4-VM").inner_text()
    assert "start it by hand" in await machines.get_by_role("row", name="shop-web").inner_text()
    await page.get_by_text("on-call: pending").wait_for()
    await page.locator("details.raw summary").first.click()
    await page.get_by_text('"not_started"').wait_for()
    await viewer.check_accessible()
    await viewer.pictures("incident-fenced")


async def test_a_day_long_hold_stays_readable_and_light(site: Site, operator: Window) -> None:
    await a_story.neighbors(site)
    await a_story.held_for_a_day(await site.now()).store(site)
    answer = await operator.page.request.get(f"{site.url}/ui/incidents/i1")
    assert len(await answer.body()) < 250_000
    page = await operator.goto("/incidents/i1")
    await operator.live()
    await page.get_by_text("waits for a person").wait_for()
    assert await page.locator(".picture-lanes .run").count() < 700
    await page.locator(".legend").get_by_text("drawn shorter than it was").wait_for()
    await page.get_by_text("check rounds count in the lane of rounds").wait_for()
    await operator.check_accessible()
    await operator.pictures("incident-held")


async def test_while_it_goes_on_it_counts_down_and_shows_news_without_a_jump(site: Site, operator: Window) -> None:
    await a_story.neighbors(site)
    incident = await a_story.checking(await site.now()).store(site)
    page = await operator.goto("/incidents/i1")
    await operator.live()
    await page.get_by_text("found dead 2 times in a row (4 needed)").wait_for()
    await page.get_by_text("next check round").wait_for()
    first = await page.locator(".steps time[data-countdown]").first.inner_text()
    await page.wait_for_function(
        "before => document.querySelector('.steps time[data-countdown]').textContent !== before", arg=first
    )
    await operator.pictures("incident-checking")
    await page.get_by_text("The same as a table").click()
    await page.evaluate("window.stillHere = true; scrollTo(0, 300)")
    place = await page.evaluate(_PLACE)
    due = await site.now() + timedelta(seconds=5)
    await site.change_incident(incident, state=State.FENCING, next_step_at=due)
    await page.get_by_text("One last look, and its power is cut.").wait_for()
    assert await page.evaluate("window.stillHere") is True
    assert abs(await page.evaluate(_PLACE) - place) < 2, "what is read jumped"
    assert await page.locator("details.as-table").get_attribute("open") is not None


async def test_on_a_phone_the_picture_opens_at_the_present_and_stays_where_it_is_put(
    site: Site, viewer: Window
) -> None:
    await a_story.neighbors(site)
    incident = await a_story.checking(await site.now(), rounds=8).store(site)
    await viewer.page.set_viewport_size({"width": 390, "height": 844})
    page = await viewer.goto("/incidents/i1")
    await viewer.live()
    box, present = page.locator(".picture-box"), page.locator(".picture-lanes .present")
    await page.wait_for_function("document.querySelector('.picture-box').scrollLeft > 100")
    names = await page.locator(".picture-names").bounding_box()
    seen, line = await box.bounding_box(), await present.bounding_box()
    assert names is not None
    assert seen is not None
    assert line is not None
    assert names["x"] + names["width"] < line["x"] < seen["x"] + seen["width"]
    await box.evaluate("one => { one.scrollLeft = 30; one.dataset.before = 'yes' }")
    await site.change_incident(incident, next_step_at=await site.now() + timedelta(seconds=77))
    await page.locator(".picture-box:not([data-before])").wait_for()  # renewed
    assert await box.evaluate("one => one.scrollLeft") == 30


async def test_a_viewer_sees_everything_and_may_do_nothing(site: Site, viewer: Window) -> None:
    await a_story.neighbors(site)
    await a_story.held_for_a_day(await site.now(), rounds=3).store(site)
    page = await viewer.goto("/incidents/i1")
    await page.get_by_text("waits for a person").wait_for()
    assert await page.locator(".actions").count() == 0
    viewer.allow("status of 403")
    for path in ("/incidents/i1/retry", "/incidents/i1/cancel", "/incidents/i1/acknowledge", "/hosts/h1/rearm"):
        await viewer.goto(path)
        await page.get_by_text("this needs operator or admin").wait_for()
    assert site.operations.asked == []
