"""One host in the browser: why (not), what its neighbors and devices say, and what a person may do to it."""

from datetime import timedelta

from controller.domain.evidence import Beat
from controller.domain.model import Level
from controller.domain.power import PowerAction, PowerCode
from controller.domain.watch import PoolSeen, Seen
from controller.services.sights import Sight
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.web.conftest import Window
from tests.web.site import Site

POOL = "/mnt/primary"


async def furnish(site: Site) -> None:
    await site.add_cluster("c1", name="rack-7")
    await site.add_host("h1", name="kvm-1", address="192.0.2.11")
    await site.add_host("h2", name="kvm-2", address="192.0.2.12")
    await site.settings(Level.CLUSTER, "c1", action="off")
    await site.settings(Level.HOST, "h1", ipmi__host="192.0.2.101")
    now = await site.now()
    async with site.store.transaction() as tx:
        health = a.health("h1", seen_at=now, healthy_since=now - timedelta(hours=3), boot_id="b1", armed=False)
        await tx.save_health(health)
        await tx.save_vm(a.vm("v1", host_id="h1", name="billing-db"))


async def heartbeat(site: Site, *, moved_age: float) -> None:
    beat = Beat(known=True, boot_id="b1", counter=7, moved_age=moved_age, sampled_age=0.5)
    pool = PoolSeen(root=POOL, readable=True, others={"h1": beat}, fs_type="nfs4", mount_source="nas:/primary")
    seen = Seen(host_id="h2", reach=Reach.AGENT_ANSWERED, boot_id="b2", pools=(pool,))
    site.sights.known["h2"] = Sight(at=await site.now(), seen=seen)


async def test_it_says_whether_it_could_be_fenced_and_what_stands_in_the_way(site: Site, operator: Window) -> None:
    await furnish(site)
    await heartbeat(site, moved_age=2.0)
    page = await operator.goto("/hosts/kvm-1")
    await page.get_by_text("If it died now, it would not be fenced").wait_for()
    why = page.locator("#why")
    assert await why.locator(".against li").count() > 0
    await why.get_by_text("Every gate").click()
    await why.get_by_text("May hostfence send anything at all?").wait_for()
    seen = page.locator("#seen")
    await seen.get_by_text("moves").wait_for()
    assert await seen.get_by_role("cell", name="kvm-2").count() == 1
    await page.get_by_role("rowheader", name="billing-db").wait_for()
    await page.get_by_text("its off is not believed").wait_for()
    await operator.check_accessible()
    await operator.pictures("host")


async def test_a_heartbeat_that_stands_still_shows(site: Site, viewer: Window) -> None:
    await furnish(site)
    await heartbeat(site, moved_age=75.0)
    page = await viewer.goto("/hosts/kvm-1")
    await page.locator("#seen").get_by_text("stands still").wait_for()


async def test_cutting_the_power_wants_the_name_and_is_refused_against_life(site: Site, operator: Window) -> None:
    await furnish(site)
    operator.allow("status of 4")
    page = await operator.goto("/hosts/kvm-1")
    await page.get_by_role("link", name="Power off…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("as if the plug were pulled").wait_for()
    await dialog.get_by_text("billing-db").wait_for()
    await dialog.get_by_label("Type the host's name").fill("kvm-2")
    await dialog.get_by_label("Why?").fill("it smokes")
    await dialog.get_by_role("button", name="Cut the power").click()
    await dialog.get_by_text("that is not this host's name").wait_for()
    assert site.operations.asked == []
    await dialog.get_by_label("Type the host's name").fill("kvm-1")
    await dialog.get_by_role("button", name="Cut the power").click()
    await dialog.get_by_text("there is life").wait_for()
    await operator.check_accessible()
    await operator.pictures("power-off-refused")
    await dialog.get_by_label("I know that it lives").check()
    async with page.expect_response("**/power/off*"):
        await dialog.get_by_role("button", name="Cut the power").click()
    asked = [one for one in site.operations.asked if one[0] == "power"]
    assert [(one[2], one[5]) for one in asked] == [(PowerAction.OFF, False), (PowerAction.OFF, True)]


async def test_a_device_that_failed_its_last_test_shows_what_it_said(site: Site, viewer: Window) -> None:
    await furnish(site)
    now = await site.now()
    failed = a.health(
        "h1",
        seen_at=now,
        bmc_identity="ipmi://192.0.2.101:623/",
        bmc_checked_at=now - timedelta(minutes=9),
        bmc_code=PowerCode.BAD_CREDENTIALS,
        bmc_said="RAKP 2 HMAC is invalid",
    )
    async with site.store.transaction() as tx:
        await tx.save_health(failed)
    page = await viewer.goto("/hosts/kvm-1")
    device = page.locator("#device")
    await device.get_by_text("does not answer as it should").wait_for()
    await device.get_by_text("RAKP 2 HMAC is invalid").wait_for()


async def test_a_viewer_is_offered_no_deed_and_may_do_none(site: Site, viewer: Window) -> None:
    await furnish(site)
    page = await viewer.goto("/hosts/kvm-1")
    assert await page.get_by_role("link", name="Power off").count() == 0
    viewer.allow("status of 403")
    await viewer.goto("/hosts/kvm-1/power/off")
    await page.get_by_text("this needs operator or admin").wait_for()


async def test_an_action_that_does_not_exist_is_not_found(site: Site, operator: Window) -> None:
    await furnish(site)
    operator.allow("status of 404")
    page = await operator.goto("/hosts/kvm-1/power/explode")
    await page.get_by_text("there is no power action").wait_for()
