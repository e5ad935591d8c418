"""What was told, in pages; a channel's test with the receiver's answer; and sending again what was given up."""

from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from controller.domain.digest import digest
from controller.domain.model import Delivery, DeliveryStatus, Notice, Role
from controller.notifications.base import ChannelError
from tests.fakes.channel import FakeChannel, down
from tests.fixtures import builders
from tests.fixtures.builders import at
from tests.integration.api.conftest import Api

SECRET = "kept-out-of-sight"
MAIL = {
    "name": "on call",
    "kind": "email",
    "host": "mail.example.org",
    "sender": "hostfence@example.org",
    "recipients": ["ann@example.org"],
    "username": "u",
    "password": SECRET,
}
TRAPS = {
    "name": "nms",
    "kind": "snmp",
    "host": "nms.example.org",
    "version": "2c",
    "community": SECRET,
    "inform": False,
}
CHAT = {"name": "chat", "kind": "apprise", "url": f"slack://{SECRET}/BBBB/CCCC", "min_severity": "warning"}


@pytest.fixture
async def told(site: Api) -> Api:
    """Three channels; three notices, of which the mail of the second is dead and that of the third waits."""
    await site.ok("PATCH", "/settings", json={"channels": [MAIL, TRAPS, CHAT]})
    async with site.store.transaction() as tx:
        for number in range(3):
            notice = builders.notice(f"n{number}", at=at(number), what=f"what {number}", kind="held")
            await tx.add_notice(notice, channels=("on call", "chat"))
        await tx.save_delivery(_delivery("n0", status=DeliveryStatus.SENT, tries=1, sent_at=at(1)))
        await tx.save_delivery(_delivery("n1", status=DeliveryStatus.DEAD, tries=4, last_error="550 no"))
    return site


def _delivery(notice_id: str, channel: str = "on call", **change: Any) -> Delivery:
    return replace(Delivery.of(builders.notice(notice_id), channel), next_try_at=None, **change)


async def test_the_channels_and_how_they_do(told: Api) -> None:
    async with told.store.transaction() as tx:
        await tx.add_notice(builders.notice("n9", at=at(9)), channels=("an old one",))
    answer = await told.call("GET", "/channels", role=Role.VIEWER)
    assert SECRET not in answer.text
    mail, nms, chat, old = answer.json()
    assert (mail["name"], mail["kind"], mail["confirms"]) == ("on call", "email", True)
    assert mail["goes_to"] == "ann@example.org through mail.example.org:25"
    assert (mail["pending"], mail["dead"], mail["last_sent_at"]) == (1, 1, "2026-03-01T12:00:01Z")
    assert (nms["goes_to"], nms["confirms"], nms["digest_after"]) == ("nms.example.org:162 (v2c trap)", False, 0)
    assert (chat["goes_to"], chat["min_severity"], chat["digest_after"]) == ("Slack", "warning", 20)
    assert (old["name"], old["kind"], old["pending"]) == ("an old one", None, 1)


async def test_the_kinds_and_their_fields(site: Api) -> None:
    kinds = {one["name"]: one for one in await site.ok("GET", "/channels/kinds", role=Role.VIEWER)}
    assert list(kinds) == ["email", "webhook", "snmp", "apprise", "cloudstack"]
    fields = {one["name"]: one for one in kinds["snmp"]["fields"]}
    assert list(fields)[:5] == ["name", "min_severity", "clusters", "events", "digest_after"]
    assert (fields["version"]["required"], fields["community"]["secret"]) == (True, True)


async def test_deliveries_are_listed_in_pages_and_by_what_became_of_them(told: Api) -> None:
    found: list[str] = []
    path = "/deliveries?limit=2"
    while True:
        page = await told.ok("GET", path, role=Role.VIEWER)
        found += [f"{one['notification']['id']}/{one['channel']}" for one in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/deliveries?limit=2&cursor={page['next_cursor']}"
    assert found == [f"n{number}/{channel}" for number in (2, 1, 0) for channel in ("on call", "chat")]
    [dead] = (await told.ok("GET", "/deliveries?status=dead"))["items"]
    assert (dead["channel"], dead["tries"], dead["last_error"]) == ("on call", 4, "550 no")
    assert (dead["notification"]["what"], dead["notification"]["headline"]) == ("what 1", "held")
    mails = (await told.ok("GET", "/deliveries?channel=on%20call&status=pending"))["items"]
    assert [one["notification"]["id"] for one in mails] == ["n2"]
    assert (await told.ok("GET", "/deliveries?incident_id=other"))["items"] == []
    assert (await told.call("GET", "/deliveries?status=lost")).status_code == 422


async def test_notifications_come_in_pages(told: Api) -> None:
    first = await told.ok("GET", "/notifications?limit=2", role=Role.VIEWER)
    rest = await told.ok("GET", f"/notifications?limit=2&cursor={first['next_cursor']}", role=Role.VIEWER)
    assert [one["id"] for one in first["items"] + rest["items"]] == ["n2", "n1", "n0"]
    assert rest["next_cursor"] is None
    assert [one["status"] for one in rest["items"][0]["deliveries"]] == ["pending", "sent"]


async def test_a_digest_shows_what_it_tells_and_its_members_where_they_are_told(told: Api) -> None:
    async with told.store.transaction() as tx:
        members: list[Notice] = [notice for notice, _ in await tx.notices()][::-1][1:]
        whole = digest(members, channel="chat", at=at(5))
        await tx.add_notice(whole, channels=("chat",))
        await tx.fold([f"{one.id}/chat" for one in members], digest_id=whole.id)
    shown = await told.ok("GET", f"/notifications/{whole.id}", role=Role.VIEWER)
    assert (shown["kind"], [one["id"] for one in shown["members"]]) == ("digest", ["n1", "n2"])
    [chat] = (await told.ok("GET", "/deliveries?channel=chat&status=in_digest&limit=1"))["items"]
    assert chat["digest_id"] == whole.id
    assert (await told.ok("GET", "/notifications/n0"))["members"] == []
    gone = await told.call("GET", "/notifications/n7")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_notification")


async def test_a_test_shows_the_receivers_answer_and_is_told_as_one(told: Api) -> None:
    said = await told.ok("POST", "/channels/test", role=Role.OPERATOR, json={"channel": "chat"})
    assert (said["taken"], said["confirmed"], said["said"], said["kind"]) == (True, True, "", "apprise")
    [message] = told.far_sides["chat"].taken
    assert message.subject == "[hostfence] TEST: this is a test, nothing has happened"
    assert "asked for by the operator" in message.text
    assert message.link == "https://hostfence.test"
    kept = await told.ok("GET", f"/notifications/{said['notification_id']}")
    assert (kept["kind"], kept["severity"]) == ("test", "info")
    assert [(one["channel"], one["status"]) for one in kept["deliveries"]] == [("chat", "sent")]
    [row] = [one for one in (await told.ok("GET", "/audit"))["items"] if one["action"] == "channel.test"]
    assert (row["actor"], row["action"], row["target"]) == ("the operator", "channel.test", "chat")


async def test_a_test_that_fails_says_why_and_is_no_lost_notification(told: Api) -> None:
    told.far_sides["on call"] = FakeChannel(ChannelError("535 5.7.8 wrong password", permanent=False))
    said = await told.ok("POST", "/channels/test", json={"channel": "on call"})
    assert (said["taken"], said["confirmed"], said["said"]) == (False, False, "535 5.7.8 wrong password")
    [mail, *_] = await told.ok("GET", "/channels")
    assert mail["dead"] == 1, "the one of before"
    kept = await told.ok("GET", f"/notifications/{said['notification_id']}")
    assert [(one["status"], one["last_error"]) for one in kept["deliveries"]] == [("test_failed", said["said"])]
    again = await told.call("POST", f"/notifications/{said['notification_id']}/resend", json={})
    assert (again.status_code, again.json()["code"]) == (409, "not_dead")
    assert "test the channel again" in again.json()["detail"]


async def test_of_a_trap_it_is_said_that_nothing_confirms_it(told: Api) -> None:
    said = await told.ok("POST", "/channels/test", json={"channel": "nms"})
    assert (said["taken"], said["confirmed"]) == (True, False)


async def test_a_channel_that_breaks_its_contract_is_found_by_its_test(told: Api) -> None:
    told.far_sides["chat"] = FakeChannel(RuntimeError(SECRET))
    said = await told.call("POST", "/channels/test", json={"channel": "chat"})
    assert said.json()["said"] == "unexpected RuntimeError; the controller's log says more"
    assert SECRET not in said.text


async def test_a_test_is_stored_before_it_is_sent(told: Api) -> None:
    stored: list[tuple[str, str]] = []

    class Looking(FakeChannel):
        @override
        async def send(self, rendered: Any) -> str:
            async with told.store.transaction() as tx:
                found = await tx.notice(rendered.notice.id)
                assert found is not None
                stored.extend((one.status, one.last_error) for one in found[1])
            return ""

    told.far_sides["chat"] = Looking()
    await told.ok("POST", "/channels/test", json={"channel": "chat"})
    assert stored == [("test_failed", "begun; what became of it is not known")]


async def test_a_channel_that_is_not_there_is_not_found(told: Api) -> None:
    for what in ("test", "resend"):
        answer = await told.call("POST", f"/channels/{what}", json={"channel": "pager"})
        assert (answer.status_code, answer.json()["code"]) == (404 if what == "test" else 409, "unknown_channel")


async def test_what_is_dead_is_sent_again_and_nothing_else(told: Api) -> None:
    [again] = await told.ok("POST", "/notifications/n1/resend", role=Role.OPERATOR, json={})
    assert (again["channel"], again["status"], again["tries"], again["last_error"]) == (
        "on call",
        "pending",
        0,
        "550 no",
    )
    assert again["resent_at"] == again["next_try_at"]
    refused = await told.call("POST", "/notifications/n1/resend", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_dead")
    assert "on on call it is still being tried" in refused.json()["detail"]
    refused = await told.call("POST", "/notifications/n0/resend", json={"channel": "on call"})
    assert "on on call it was taken" in refused.json()["detail"]
    for path, body, code in (
        ("n7", {}, "unknown_notification"),
        ("n0", {"channel": "pager"}, "unknown_delivery"),
    ):
        missing = await told.call("POST", f"/notifications/{path}/resend", json=body)
        assert (missing.status_code, missing.json()["code"]) == (404, code)
    rows = [one for one in (await told.ok("GET", "/audit"))["items"] if one["action"] == "notification.resend"]
    assert [(one["actor"], one["target"], one["data"]) for one in rows] == [
        ("the operator", "n1", {"channels": ["on call"]})
    ]


async def test_everything_that_a_channel_gave_up_is_sent_again_at_once(told: Api) -> None:
    async with told.store.transaction() as tx:
        await tx.save_delivery(_delivery("n2", status=DeliveryStatus.DEAD))
        await tx.save_delivery(_delivery("n2", "chat", status=DeliveryStatus.DEAD))
    assert await told.ok("POST", "/channels/resend", json={"channel": "on call"}) == {"channel": "on call", "resent": 2}
    assert await told.ok("POST", "/channels/resend", json={"channel": "on call"}) == {"channel": "on call", "resent": 0}
    [dead] = (await told.ok("GET", "/deliveries?status=dead"))["items"]
    assert dead["channel"] == "chat"


async def test_to_a_channel_that_is_gone_nothing_is_sent_again(told: Api) -> None:
    await told.ok("PATCH", "/settings", json={"channels": [TRAPS]})
    refused = await told.call("POST", "/notifications/n1/resend", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "unknown_channel")
    assert "there is no channel on call any more" in refused.json()["detail"]


async def test_a_notification_that_no_channel_wanted(told: Api) -> None:
    async with told.store.transaction() as tx:
        await tx.add_notice(builders.notice("n5"), channels=())
    refused = await told.call("POST", "/notifications/n5/resend", json={})
    assert "no channel wanted this notification" in refused.json()["detail"]


async def test_a_receiver_that_is_down_is_said_so(told: Api) -> None:
    told.far_sides["nms"] = FakeChannel(down())
    said = await told.ok("POST", "/channels/test", json={"channel": "nms"})
    assert (said["taken"], said["said"]) == (False, "no answer")
