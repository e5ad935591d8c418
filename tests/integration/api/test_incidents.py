import pytest

from controller.domain.incident import Source
from controller.domain.model import Role
from controller.domain.power import PowerAction
from controller.domain.reasons import Reason
from tests.fixtures import builders
from tests.integration.api.conftest import Api


@pytest.fixture
async def incident(site: Api) -> str:
    """An open incident of host a with one of everything."""
    async with site.store.transaction() as tx:
        [host, _] = await tx.hosts()
        await tx.open_incident(
            builders.incident("i1", host_id=host.id, cluster_id=host.cluster_id, reasons=(Reason.KERNEL_ANSWERS,))
        )
        await tx.add_event(builders.event(incident_id="i1", data={"round": 1}))
        await tx.add_round(builders.round_record(incident_id="i1", evidence={"reports": []}))
        await tx.add_attempt(builders.attempt(incident_id="i1", host_id=host.id))
        await tx.add_effect(builders.effect(incident_id="i1", host_id=host.id))
        await tx.add_notice(builders.notice(incident_id="i1"), channels=("mail",))
    return "i1"


async def test_an_incident_with_timeline_evidence_and_acts(site: Api, incident: str) -> None:
    found = await site.ok("GET", f"/incidents/{incident}", role=Role.VIEWER)
    assert (found["state"], found["open"], found["reasons"]) == ("suspect", True, ["kernel_answers"])
    assert found["tally"] == {"dead": 0, "silence": 0.0}
    assert found["opened_at"] == "2026-03-01T12:00:00Z"
    assert "memory" not in found
    for part in ("events", "rounds", "attempts", "effects"):
        several = await site.ok("GET", f"/incidents/{incident}/{part}", role=Role.VIEWER)
        assert len(several) == 1, part
    told = await site.ok("GET", f"/notifications?incident_id={incident}")
    assert told["items"][0]["deliveries"][0]["channel"] == "mail"
    assert await site.ok("GET", "/notifications?incident_id=other") == {"items": [], "next_cursor": None}
    page = await site.ok("GET", "/incidents?only_open=true&host=a")
    assert [one["id"] for one in page["items"]] == [incident]
    assert (await site.ok("GET", "/incidents?host=b")) == {"items": [], "next_cursor": None}


async def test_pages_of_the_audit_follow_each_other(site: Api) -> None:
    ids: list[str] = []
    path = "/audit?limit=3"
    while True:
        page = await site.ok("GET", path)
        ids += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/audit?limit=3&cursor={page['next_cursor']}"
    assert len(ids) == len(set(ids)) == 4 + 4  # tokens of the roles; cluster, pool, two hosts


async def test_a_report_takes_any_name_of_the_host(site: Api) -> None:
    found = await site.ok("GET", "/hosts/a")
    told = await site.ok(
        "POST", "/hosts/a/disconnect", role=Role.REPORTER, json={"at": "2025-01-07T03:00:00+01:00", "note": "no ping"}
    )
    assert told == {"incident": None, "opened": False, "why_not": "maintenance"}
    await site.ok("POST", f"/hosts/{found['id']}/disconnect")
    assert await site.ok("POST", "/hosts/a/reconnect", role=Role.REPORTER) == {"incident": None}
    first, second, third = site.operations.asked
    assert first[:2] == ("report_disconnect", found["id"])
    assert first[3:] == (Source.REPORT, "the reporter", "no ping")
    assert str(first[2]) == "2025-01-07 02:00:00+00:00"
    assert second[2] is None
    assert third == ("report_reconnect", found["id"], "the reporter")


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("cancel", {"reason": "drill"}, ("cancel", "i1", "drill", "the operator")),
        ("retry", {"reason": "again"}, ("retry", "i1", "again", "the operator")),
        (
            "acknowledge",
            {"host_name": "a", "reason": "unplugged"},
            ("acknowledge", "i1", "a", "unplugged", "the operator", False),
        ),
    ],
)
async def test_a_refusal_tells_all_its_reasons(
    site: Api, incident: str, path: str, body: object, asked: tuple[object, ...]
) -> None:
    answer = await site.call("POST", f"/incidents/{incident}/{path}", role=Role.OPERATOR, json=body)
    assert site.operations.asked == [asked]
    assert answer.status_code == 409
    assert answer.json()["reasons"] == ["agent_answers", "life_since"]
    unexplained = await site.call("POST", f"/incidents/{incident}/{path}", json={**dict(body), "reason": " "})  # type: ignore[call-overload]
    assert (unexplained.status_code, unexplained.json()["field"]) == (422, "reason")


async def test_only_an_admin_overrules_moving_disks(site: Api, incident: str) -> None:
    body = {"host_name": "a", "reason": "unplugged", "second_admin": True}
    answer = await site.call("POST", f"/incidents/{incident}/acknowledge", role=Role.OPERATOR, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_needed")
    await site.call("POST", f"/incidents/{incident}/acknowledge", role=Role.ADMIN, json=body)
    assert site.operations.asked == [("acknowledge", "i1", "a", "unplugged", "the admin", True)]


@pytest.mark.parametrize(
    ("path", "body", "action", "force"),
    [
        ("test", None, PowerAction.TEST, False),
        ("blink", {"on": True}, PowerAction.BLINK, False),
        ("blink", {"on": False}, PowerAction.BLINK_OFF, False),
        ("off", {"reason": "fire"}, PowerAction.OFF, False),
        ("off", {"reason": "fire", "force": True}, PowerAction.OFF, True),
        ("on", {"reason": "back"}, PowerAction.ON, False),
        ("reboot", {"reason": "stuck"}, PowerAction.REBOOT, False),
    ],
)
async def test_a_persons_power_commands(
    site: Api, path: str, body: object, action: PowerAction, *, force: bool
) -> None:
    answer = await site.call("POST", f"/hosts/a/power/{path}", role=Role.OPERATOR, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "life_since")
    [asked] = site.operations.asked
    assert (asked[0], asked[2], asked[4], asked[5]) == ("power", action, "the operator", force)


@pytest.mark.parametrize("force", ["true", 1, None])
async def test_force_is_true_or_false_and_nothing_that_looks_like_it(site: Api, force: object) -> None:
    answer = await site.call("POST", "/hosts/a/power/off", json={"reason": "fire", "force": force})
    assert (answer.status_code, answer.json()["field"]) == (422, "force")
    assert site.operations.asked == []


async def test_a_persons_command_may_go_to_the_second_device(site: Api) -> None:
    await site.call("POST", "/hosts/a/power/test?device=2", role=Role.OPERATOR)
    await site.call("GET", "/hosts/a/power?device=2", role=Role.OPERATOR)
    assert [asked[-1] for asked in site.operations.asked] == [2, 2]
    assert (await site.call("POST", "/hosts/a/power/test?device=3", role=Role.OPERATOR)).status_code == 422


async def test_power_status_and_rearming_reach_the_operations(site: Api) -> None:
    assert (await site.call("GET", "/hosts/a/power")).status_code == 409
    assert (await site.call("POST", "/hosts/a/rearm", json={"reason": "replaced"})).status_code == 409
    assert [asked[0] for asked in site.operations.asked] == ["power_status", "rearm"]


async def test_pauses_last_an_hour_unless_said_otherwise(site: Api) -> None:
    made = await site.ok("POST", "/pauses", role=Role.OPERATOR, json={"level": "global", "reason": "work"})
    assert (made["created_at"], made["until"]) == ("2025-01-07T03:12:00Z", "2025-01-07T04:12:00Z")
    forever = {"level": "host", "owner": "a", "reason": "work", "for_seconds": None}
    made = await site.ok("POST", "/pauses", json=forever)
    assert made["until"] is None
    active = await site.ok("GET", "/pauses")
    assert len(active) == 2
    lifted = await site.ok("POST", f"/pauses/{made['id']}/lift", json={"reason": "done"})
    assert lifted["lifted_by"] == "the admin"
    active = await site.ok("GET", "/pauses?active=false")
    assert len(active) == 1
