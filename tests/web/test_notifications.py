"""Notifications in the browser: the channels and a Test, where each message stands, the message, sending again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.model import Delivery, DeliveryStatus, Notice, Severity
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.fixtures.mail_server import mail_server
from tests.web.conftest import Window
from tests.web.site import Site

SECRET = "kept-out-of-sight"
MAIL: dict[str, Any] = {
    "name": "on call",
    "kind": "email",
    "host": "127.0.0.1",
    "port": 1,
    "tls": "none",
    "sender": "hostfence@example.org",
    "recipients": ["ann@example.org"],
}
CHAT = {"name": "chat", "kind": "apprise", "url": f"slack://{SECRET}/BBBB/CCCC", "min_severity": "warning"}


async def furnish(site: Site, **mail: Any) -> None:
    """Two channels; one notice in every state that a delivery can have, the newest first given up."""
    await site.add_cluster("c1", name="rack-7")
    await site.settings(channels=[{**MAIL, **mail}, CHAT])
    now = await site.now()
    await tell(site, "sent", now - timedelta(hours=3), status=DeliveryStatus.SENT, tries=1, sent_at=now)
    await tell(site, "folded", now - timedelta(hours=2), status=DeliveryStatus.IN_DIGEST, digest_id="sent")
    await tell(site, "fails", now - timedelta(hours=1), tries=2, last_error="451 later", next_try_at=now)
    await tell(site, "waits", now - timedelta(minutes=3), next_try_at=now + timedelta(minutes=5))
    await tell(site, "dead", now - timedelta(minutes=2), status=DeliveryStatus.DEAD, tries=9, last_error="550 no")


async def tell(site: Site, notice_id: str, at: Any, **delivery: Any) -> Notice:
    notice = a.notice(
        notice_id,
        at=at,
        kind="held",
        severity=Severity.CRITICAL,
        host_name="kvm-7",
        cluster_id="c1",
        what=f"kvm-7 is held: {notice_id}.",
        why=(Reason.STORM,),
        next="It is looked at again every 15 s.",
        how_to_stop="hostfence cancel",
    )
    async with site.store.transaction() as tx:
        await tx.add_notice(notice, channels=("on call",))
        await tx.save_delivery(replace(Delivery.of(notice, "on call"), **{"next_try_at": None, **delivery}))
    return notice


async def states(site: Site, notice_id: str) -> list[DeliveryStatus]:
    async with site.store.transaction() as tx:
        found = await tx.notice(notice_id)
    assert found is not None
    return [one.status for one in found[1]]


async def test_every_state_of_a_message_is_told_apart(site: Site, viewer: Window) -> None:
    await furnish(site)
    page = await viewer.goto("/notifications")
    await viewer.live()
    rows = page.locator("#told tbody tr")
    said = ["given up", "waiting", "failed, tried again", "told in a digest", "sent"]
    assert [await rows.nth(n).locator("li .pill").inner_text() for n in range(5)] == said
    assert "550 no" in await rows.nth(0).inner_text()
    assert "1 given up" in await page.locator("#channels tbody tr").nth(0).inner_text()
    assert "warning and worse" in await page.locator("#channels tbody tr").nth(1).inner_text()
    assert SECRET not in await page.content()
    await viewer.check_accessible()
    await viewer.pictures("notifications")
    await page.get_by_label("Status").select_option("given up")
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name="All", exact=True).wait_for()
    assert await rows.count() == 1


async def test_the_list_has_pages_and_a_new_one_appears_by_itself(site: Site, viewer: Window) -> None:
    now = await site.now()
    for number in range(60):
        await tell(site, f"n{number}", now - timedelta(minutes=number + 1))
    page = await viewer.goto("/notifications")
    await viewer.live()
    assert await page.locator("#told tbody tr").count() == 50
    await page.get_by_role("link", name="Older").click()
    await page.get_by_role("link", name="Newest").wait_for()
    assert await page.locator("#told tbody tr").count() == 10
    await viewer.goto("/notifications?channel=on+call&status=dead")
    await viewer.live()
    await page.get_by_text("Nothing fits.").wait_for()
    await tell(site, "late", now, status=DeliveryStatus.DEAD)
    await page.get_by_role("link", name="kvm-7").wait_for()


async def test_the_message_stands_there_as_it_is_told_and_can_be_sent_again(site: Site, operator: Window) -> None:
    await furnish(site)
    page = await operator.goto("/notifications")
    await page.locator("#told tbody tr").nth(0).get_by_role("link").click()
    message = page.locator("pre.said")
    await page.get_by_text("[hostfence] CRITICAL kvm-7").wait_for()
    assert "kvm-7 is held: dead." in await message.inner_text()
    assert "hostfence cancel" in await message.inner_text()
    await operator.check_accessible()
    await operator.pictures("notification")
    await page.get_by_role("link", name="Send again").click()
    await page.get_by_role("dialog").get_by_text("What was taken is not sent twice.").wait_for()
    await page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    await page.get_by_text("It will be tried again on on call.").wait_for()
    assert await states(site, "dead") == [DeliveryStatus.PENDING]
    operator.allow("status of 409")
    await operator.goto("/notifications/sent/resend")
    await page.get_by_role("button", name="Send again").click()
    await page.get_by_text("on on call it was taken").wait_for()


async def test_everything_that_a_channel_gave_up_is_sent_again(site: Site, operator: Window) -> None:
    await furnish(site)
    page = await operator.goto("/notifications")
    await page.get_by_role("link", name="Resend all").click()
    await page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    await page.get_by_text("1 message to on call will be tried again.").wait_for()
    assert await states(site, "dead") == [DeliveryStatus.PENDING]


async def test_a_test_shows_what_the_receiver_said(site: Site, operator: Window) -> None:
    async with mail_server() as server:
        await furnish(site, port=server.port)
        server.data = ["554 5.7.1 we know you not"]
        page = await operator.goto("/notifications")
        await page.get_by_role("link", name="Test").first.click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Send the test").click()
        await dialog.get_by_text("does not work").wait_for()
        await dialog.get_by_text("we know you not").wait_for()
        await operator.check_accessible()
        await operator.pictures("channel-test")
        await dialog.get_by_role("button", name="Test again").click()
        await dialog.get_by_text("arrived").wait_for()
        assert [str(mail["Subject"]).startswith("[hostfence] TEST") for _, mail in server.mails] == [True]


@pytest.mark.parametrize(
    "path", ["/channels/test?channel=chat", "/channels/resend?channel=chat", "/notifications/dead/resend"]
)
async def test_a_viewer_reads_and_sends_nothing(site: Site, viewer: Window, path: str) -> None:
    await furnish(site)
    page = await viewer.goto("/notifications")
    assert await page.get_by_role("link", name="Test").count() == 0
    assert await page.get_by_role("link", name="Resend").count() == 0
    viewer.allow("status of 403")
    await viewer.goto(path)
    await page.get_by_text("this needs operator or admin").wait_for()


async def test_where_nobody_is_told_the_page_says_so(viewer: Window) -> None:
    page = await viewer.goto("/notifications")
    await page.get_by_text("There is no channel: nobody is told of anything.").wait_for()
    viewer.allow("status of 404")
    await viewer.goto("/notifications/none-such")
    await page.get_by_text("there is no notification 'none-such'").wait_for()
