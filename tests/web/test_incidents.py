"""The list of incidents: open ones first, narrowed, paged."""

from datetime import timedelta

from controller.domain.incident import State
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.web.conftest import Window
from tests.web.site import Site


async def many(site: Site, *, closed: int) -> None:
    """An open incident of kvm-8 in kvm-bonn; closed ones of kvm-7 in kvm-berlin, every third one fenced."""
    await site.add_cluster("c1", name="kvm-berlin")
    await site.add_cluster("c2", name="kvm-bonn")
    await site.add_host("h1", name="kvm-7")
    await site.add_host("h2", name="kvm-8", cluster_id="c2")
    now = await site.now()
    for number in range(closed):
        began = now - timedelta(hours=2 + number)
        state = State.RECOVERED if number % 3 else State.FENCED
        done = a.incident(f"old{number}", opened_at=began, disconnect_at=began)
        async with site.store.transaction() as tx:
            assert await tx.open_incident(done)
        ended = {"closed_at": began + timedelta(minutes=4), "next_step_at": None}
        await site.change_incident(done, state=state, reasons=(Reason.PROVEN_OFF,), **ended)
    await site.add_incident("now", host_id="h2", cluster_id="c2", state=State.HELD, reasons=(Reason.STORM,))


async def test_open_ones_come_first_and_closed_ones_in_pages(site: Site, viewer: Window) -> None:
    await many(site, closed=60)
    page = await viewer.goto("/incidents")
    await viewer.live()
    opened, closed = page.locator("table").nth(0), page.locator("table").nth(1)
    assert await opened.locator("tbody tr").count() == 1
    assert await closed.locator("tbody tr").count() == 50
    await viewer.check_accessible()
    await viewer.pictures("incidents")
    await page.get_by_role("link", name="Older").click()
    await page.get_by_role("link", name="Newest").wait_for()
    assert await page.locator("tbody tr").count() == 10
    assert await page.get_by_role("heading", name="Open").count() == 0


async def test_they_are_narrowed_by_state_cluster_and_host(site: Site, viewer: Window) -> None:
    await many(site, closed=7)
    page = await viewer.goto("/incidents")
    await page.get_by_label("State").select_option("fenced")
    await page.get_by_role("button", name="Show").click()
    await page.get_by_text("No open incident.").wait_for()
    assert await page.locator("tbody tr").count() == 3
    await page.get_by_label("State").select_option("held")
    await page.get_by_label("Cluster").select_option("kvm-bonn")
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name="kvm-8").wait_for()
    assert await page.locator("tbody tr").count() == 1
    await viewer.goto("/incidents?host=kvm-7")
    assert await page.locator("tbody tr").count() == 7
    await viewer.goto("/incidents?host=kvm-99")
    await page.get_by_text("there is no host 'kvm-99'").wait_for()
    await page.get_by_role("link", name="All", exact=True).click()
    await page.get_by_role("link", name="kvm-8").wait_for()


async def test_a_new_one_appears_by_itself(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1", name="kvm-7")
    page = await viewer.goto("/incidents")
    await viewer.live()
    await page.get_by_text("No open incident.").wait_for()
    await site.add_incident("i1")
    await page.get_by_role("link", name="kvm-7").wait_for()


async def test_a_timeline_too_long_for_the_page_has_pages_of_its_own(site: Site, viewer: Window) -> None:
    await site.add_cluster("c1")
    await site.add_host("h1", name="kvm-7")
    await site.add_incident("i1")
    now = await site.now()
    async with site.store.transaction() as tx:
        for number in range(450):
            await tx.add_event(a.event(f"n{number}", at=now + timedelta(seconds=number), text=f"note {number}"))
    page = await viewer.goto("/incidents/i1")
    await page.get_by_text("135 earlier").wait_for()
    await page.get_by_role("link", name="All 451").click()
    await page.get_by_text("451 events, newest first, page 1 of 3").wait_for()
    assert await page.locator(".timeline li").count() == 200
    await page.get_by_role("link", name="Older").click()
    await page.get_by_text("note 249", exact=True).wait_for()
