"""The audit in the browser: who did what when, newest first, in pages, as it happens."""

from datetime import timedelta
from typing import Any

from controller.domain.model import Level
from controller.services.settings import Scope, write_settings
from tests.fixtures import builders as a
from tests.web.conftest import Window
from tests.web.site import Site


async def did(site: Site, row_id: str, at: Any, **changes: Any) -> None:
    async with site.store.transaction() as tx:
        await tx.add_audit(a.audit_row(row_id, at=at, **changes))


async def test_who_did_what_when_newest_first(site: Site, viewer: Window) -> None:
    soon = await site.now() + timedelta(minutes=1)
    await did(
        site, "r1", soon, actor="ada", action="settings.write", target="global", data={"fields": ["action", "mode"]}
    )
    changed = {"changes": {"ipmi.port": {"before": 623, "after": 1623}}}
    await did(site, "r2", soon + timedelta(seconds=1), actor="olaf", action="host.power", target="kvm-7", data=changed)
    await did(site, "r3", soon + timedelta(seconds=2), actor="hostfence", action="host.renew", target="kvm-8", data={})
    page = await viewer.goto("/audit")
    await viewer.live()
    rows = page.locator("#changes tbody tr")
    first, second, third = [await rows.nth(n).inner_text() for n in range(3)]
    assert "hostfence itself" in first
    assert "host: power" in second
    assert "kvm-7" in second
    assert "ada" in third
    assert "action, mode" in third
    await rows.nth(1).get_by_text("all of it").click()
    await page.get_by_text('"after": 1623').wait_for()
    await viewer.check_accessible()
    await viewer.pictures("audit")


async def test_a_change_appears_by_itself_and_a_password_never(site: Site, viewer: Window) -> None:
    page = await viewer.goto("/audit")
    await viewer.live()
    await write_settings(
        site.store,
        site.clock,
        Scope(level=Level.GLOBAL),
        {"ipmi.password": "hunter2-of-the-bmc"},
        replace=False,
        rules=site.pages.state.web.device_rules,
        actor="ada",
    )
    await page.get_by_text("settings: write").wait_for()
    assert "hunter2" not in await page.content()


async def test_it_comes_in_pages(site: Site, viewer: Window) -> None:
    now = await site.now() + timedelta(hours=1)
    for number in range(130):
        await did(site, f"r{number}", now - timedelta(seconds=number), target=f"host {number}")
    page = await viewer.goto("/audit")
    assert await page.locator("#changes tbody tr").count() == 100
    await page.get_by_role("link", name="Older").click()
    await page.get_by_text("host 129").wait_for()
    assert await page.get_by_text("host 99", exact=True).count() == 0
    await page.get_by_role("link", name="Newest").click()
    await page.get_by_text("host 99", exact=True).wait_for()
