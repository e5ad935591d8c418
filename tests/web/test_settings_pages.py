"""Settings in the browser: inherit, override, reset; refusals beside their field; Test; arming."""

from controller.domain.model import Level
from controller.domain.power import Accepted, PowerCode
from controller.services.settings import Scope, effective_settings, written_settings
from tests.fakes.operations import FakeDevice
from tests.web.conftest import Window
from tests.web.site import Site

SECRET = "hunter2-of-the-bmc"
H1 = Scope(level=Level.HOST, ref="h1")
C1 = Scope(level=Level.CLUSTER, ref="c1")


async def furnish(site: Site) -> None:
    await site.add_cluster("c1", name="rack-7")
    await site.add_host("h1", name="kvm-1")
    await site.add_host("h2", name="kvm-2")


async def save(window: Window) -> None:
    await window.page.get_by_role("button", name="Save", exact=True).last.click()


async def test_a_field_is_inherited_overridden_and_reset(site: Site, admin: Window) -> None:
    await furnish(site)
    await site.settings(Level.CLUSTER, "c1", ipmi__username="operator", action="off")
    page = await admin.goto("/hosts/kvm-1/settings")
    row = page.get_by_role("group", name="Username").first
    await row.get_by_text("inherited from cluster rack-7").wait_for()
    await row.get_by_label("Username", exact=True).fill("root")
    await save(admin)
    await page.get_by_text("ipmi.username is set.").wait_for()
    await row.get_by_text("set here").wait_for()
    assert (await effective_settings(site.store, H1))["ipmi.username"].value == "root"
    await row.get_by_role("button", name="Reset Username").click()
    await page.get_by_text("ipmi.username is inherited again").wait_for()
    await row.get_by_text("inherited from cluster rack-7").wait_for()
    assert await written_settings(site.store, H1) == {}
    await admin.check_accessible()
    await admin.pictures("settings-host-ipmi")


async def test_what_a_cluster_says_reaches_hosts_without_a_word_of_their_own(site: Site, admin: Window) -> None:
    await furnish(site)
    await site.settings(Level.HOST, "h2", ipmi__port=6230)
    page = await admin.goto("/clusters/rack-7/settings")
    await page.get_by_role("group", name="Port").first.get_by_text("1 of 2 hosts have their own").wait_for()
    await page.get_by_label("Port", exact=True).first.fill("1623")
    await save(admin)
    await page.get_by_text("It reaches 1 of 2 hosts.").wait_for()
    assert (await effective_settings(site.store, H1))["ipmi.port"].value == 1623
    await admin.check_accessible()
    await admin.pictures("settings-cluster-ipmi")


async def test_a_refused_value_stands_beside_its_field_and_nothing_is_lost_or_saved(site: Site, admin: Window) -> None:
    await furnish(site)
    admin.allow("status of 422")
    page = await admin.goto("/settings?group=checking")
    await page.get_by_label("Check interval", exact=True).fill("1")
    await page.get_by_label("Additional checks", exact=True).fill("5")
    await save(admin)
    row = page.get_by_role("group", name="Check interval")
    await row.get_by_text("write a number of seconds from 5 to 300").wait_for()
    assert await row.get_by_label("Check interval", exact=True).input_value() == "1"
    assert await page.get_by_label("Additional checks", exact=True).input_value() == "5"
    assert await written_settings(site.store, Scope(level=Level.GLOBAL)) == {}
    await admin.check_accessible()
    await admin.pictures("settings-refused")


async def test_a_reset_keeps_what_else_was_typed(site: Site, admin: Window) -> None:
    await furnish(site)
    await site.settings(Level.CLUSTER, "c1", ipmi__username="operator")
    page = await admin.goto("/clusters/c1/settings")
    await page.get_by_label("Port", exact=True).first.fill("1623")
    await page.get_by_role("button", name="Reset Username").click()
    await page.get_by_text("What else you typed is not saved yet.").wait_for()
    assert await page.get_by_label("Port", exact=True).first.input_value() == "1623"
    assert await written_settings(site.store, C1) == {}
    await save(admin)
    await page.get_by_text("ipmi.port is set").wait_for()


async def test_nobodys_change_of_the_same_minute_is_undone(site: Site, admin: Window) -> None:
    await furnish(site)
    page = await admin.goto("/clusters/c1/settings")
    await page.get_by_label("Port", exact=True).first.fill("1623")
    await site.settings(Level.CLUSTER, "c1", ipmi__username="meanwhile")
    await save(admin)
    await page.get_by_text("ipmi.port is set").wait_for()
    assert await written_settings(site.store, C1) == {"ipmi.port": 1623, "ipmi.username": "meanwhile"}


async def test_a_password_is_written_and_never_shown(site: Site, admin: Window) -> None:
    await furnish(site)
    page = await admin.goto("/clusters/c1/settings")
    await page.get_by_label("Password", exact=True).first.fill(SECRET)
    await save(admin)
    await page.get_by_text("ipmi.password is set.").wait_for()
    row = page.get_by_role("group", name="Password ipmi.password")
    await row.get_by_text("set, never shown").wait_for()
    assert SECRET not in await page.content()
    await save(admin)
    await page.get_by_text("Nothing was changed.").wait_for()
    assert (await written_settings(site.store, C1))["ipmi.password"] == {"set": True}


async def test_enter_saves_and_resets_nothing(site: Site, admin: Window) -> None:
    await furnish(site)
    await site.settings(Level.CLUSTER, "c1", action="off")
    page = await admin.goto("/clusters/c1/settings")
    await page.get_by_label("Username", exact=True).first.fill("root")
    await page.keyboard.press("Enter")
    await page.get_by_text("ipmi.username is set.").wait_for()
    assert await written_settings(site.store, C1) == {"action": "off", "ipmi.username": "root"}


async def test_test_shows_what_the_device_said(site: Site, operator: Window) -> None:
    await furnish(site)
    said = "RAKP 2 HMAC is invalid"
    site.operations.devices["h1"] = FakeDevice(accepted=Accepted.NO, code=PowerCode.BAD_CREDENTIALS, said=said)
    page = await operator.goto("/hosts/kvm-1/settings")
    await page.get_by_role("link", name="Test the device").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Test now").click()
    await dialog.get_by_text("does not work").wait_for()
    await dialog.get_by_text(said).wait_for()
    await operator.check_accessible()
    await operator.pictures("power-test-failed")
    site.operations.devices["h1"] = FakeDevice(said="Chassis Power is on")
    await dialog.get_by_role("button", name="Test again").click()
    await dialog.get_by_text("Chassis Power is on").wait_for()


async def test_a_host_whose_device_is_not_to_be_asked_says_why(site: Site, operator: Window) -> None:
    await furnish(site)
    page = await operator.goto("/hosts/kvm-1/test")
    await page.get_by_role("button", name="Test now").click()
    await page.get_by_text("was not asked").wait_for()


async def test_arming_shows_what_it_means_and_wants_a_reason(site: Site, admin: Window) -> None:
    await furnish(site)
    page = await admin.goto("/settings")
    await page.get_by_role("link", name="Arm…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("cuts the power of hosts that are found dead").wait_for()
    await admin.check_accessible()
    await admin.pictures("arm")
    await dialog.get_by_label("Why?").fill("rehearsed on Tuesday")
    await dialog.get_by_role("button", name="Arm").click()
    await page.get_by_text("What holds there now: enforce.").wait_for()
    assert (await written_settings(site.store, Scope(level=Level.GLOBAL)))["mode"] == "enforce"


async def test_a_viewer_reads_and_changes_nothing(site: Site, viewer: Window) -> None:
    await furnish(site)
    page = await viewer.goto("/clusters/c1/settings")
    await page.get_by_text("Only an admin may change settings.").wait_for()
    assert await page.locator("fieldset input, fieldset select, fieldset textarea").count() == 0
    assert await page.get_by_role("link", name="Arm").count() == 0
    viewer.allow("status of 403")
    await viewer.goto("/mode?to=enforce")
    await page.get_by_text("this needs admin").wait_for()
