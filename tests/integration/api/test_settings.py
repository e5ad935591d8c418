import pytest

from tests.integration.api.conftest import Api

SECRET = "hunter2-s3cret"
MAIL = {
    "name": "on call",
    "kind": "email",
    "host": "mail.example.org",
    "sender": "hostfence@example.org",
    "recipients": ["a@example.org"],
    "password": SECRET,
}


async def test_each_level_shows_what_it_wrote_and_where_values_come_from(site: Api) -> None:
    await site.ok("PATCH", "/settings", json={"off_reads": 4, "check_interval": 20})
    await site.ok("PATCH", "/clusters/kvm/settings", json={"check_interval": 30})
    assert await site.ok("PATCH", "/hosts/a/settings", json={"off_reads": 5}) == {"off_reads": 5}
    assert await site.ok("GET", "/settings") == {"off_reads": 4, "check_interval": 20}
    found = await site.ok("GET", "/hosts/a/settings/effective")
    assert found["off_reads"] == {"value": 5, "source": "host"}
    assert found["check_interval"] == {"value": 30, "source": "cluster"}
    assert found["grace"] == {"value": 10, "source": "default"}
    assert found["witnesses_required"] == {"value": 1, "source": "default"}
    assert await site.ok("PATCH", "/hosts/a/settings", json={"off_reads": None}) == {}
    found = await site.ok("GET", "/hosts/a/settings/effective")
    assert found["off_reads"] == {"value": 4, "source": "global"}
    found = await site.ok("GET", "/clusters/kvm/settings/effective")
    assert found["check_interval"] == {"value": 30, "source": "cluster"}


async def test_put_replaces_the_level_but_keeps_secrets(site: Api) -> None:
    await site.ok("PUT", "/clusters/kvm/settings", json={"ipmi.password": SECRET, "check_interval": 20})
    assert await site.ok("PUT", "/clusters/kvm/settings", json={}) == {"ipmi.password": {"set": True}}


async def test_a_secret_comes_back_nowhere(site: Api) -> None:
    answers = [
        await site.call("PATCH", "/clusters/kvm/settings", json={"ipmi.password": SECRET}),
        await site.call("PATCH", "/settings", json={"channels": [MAIL]}),
        await site.call("PATCH", "/settings", json={"channels": [{**MAIL, "port": 0}]}),
        await site.call("PATCH", "/clusters/kvm/settings", json={"ipmi.password": SECRET * 3}),
        await site.call("PATCH", "/clusters/kvm/settings", json={"ipmi.password": [SECRET]}),
        await site.call("PATCH", "/clusters/kvm/settings", json=[SECRET]),
        await site.call("GET", "/settings"),
        await site.call("GET", "/settings/effective"),
        await site.call("GET", "/clusters/kvm/settings"),
        await site.call("GET", "/hosts/a/settings/effective"),
        await site.call("GET", "/audit"),
    ]
    assert [one.status_code for one in answers] == [200, 200, 422, 422, 422, 422, 200, 200, 200, 200, 200]
    assert all(SECRET not in one.text for one in answers)
    effective = answers[9].json()
    assert effective["ipmi.password"] == {"value": {"set": True}, "source": "cluster"}
    assert effective["channels"]["value"][0]["password_set"] is True


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/settings", {"chek_interval": 15}, ["chek_interval"]),
        ("/settings", {"check_interval": 4, "grace": "x"}, ["check_interval", "grace"]),
        ("/hosts/a/settings", {"check_interval": 15}, ["check_interval"]),
        ("/hosts/a/settings", {"action": "off"}, ["action"]),
        ("/clusters/kvm/settings", {"watch_timeout": 10}, ["watch_timeout"]),
        ("/clusters/kvm/settings", {"require_heartbeat": False, "min_silence": 60}, ["min_silence"]),
        ("/settings", {"startup_quiet": 1e400}, ["startup_quiet"]),
    ],
)
async def test_impossible_settings_name_field_and_remedy(site: Api, path: str, body: object, fields: list[str]) -> None:
    answer = await site.call("PATCH", path, json=body)
    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (422, "bad_setting", fields[0])
    assert [one["field"] for one in told["errors"]] == fields


async def test_two_hosts_never_share_a_power_device(site: Api) -> None:
    await site.ok("PATCH", "/hosts/a/settings", json={"ipmi.host": "10.0.0.7"})
    refused = await site.call("PATCH", "/hosts/b/settings", json={"ipmi.host": "10.0.0.7"})
    assert (refused.status_code, refused.json()["code"]) == (409, "bmc_shared")
    assert refused.json()["reasons"] == ["bmc_shared"]
    refused = await site.call("PATCH", "/hosts/b/settings", json={"ipmi.host": "127.0.0.1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "bmc_address_refused")


async def test_arming_is_the_strictest_of_all_levels(site: Api) -> None:
    body = {"mode": "enforce", "reason": "drill done"}
    assert await site.ok("PUT", "/hosts/a/mode", json=body) == {"value": "observe", "source": "default"}
    assert await site.ok("PUT", "/mode", json=body) == {"value": "enforce", "source": "global"}
    assert await site.ok("GET", "/hosts/a/mode") == {"value": "enforce", "source": "host"}
    await site.ok("PUT", "/clusters/kvm/mode", json={"mode": "observe", "reason": "storage work"})
    assert await site.ok("GET", "/hosts/a/mode") == {"value": "observe", "source": "cluster"}
    await site.ok("PUT", "/clusters/kvm/mode", json={"mode": None, "reason": "done"})
    assert await site.ok("GET", "/clusters/kvm/mode") == {"value": "enforce", "source": "global"}


async def test_the_catalogue_describes_every_setting(site: Api) -> None:
    catalogue = await site.ok("GET", "/settings/catalogue")
    effective = await site.ok("GET", "/settings/effective")
    assert {one["name"] for one in catalogue} == set(effective)
    [interval] = [one for one in catalogue if one["name"] == "check_interval"]
    assert (interval["minimum"], interval["maximum"], interval["unit"]) == (5, 300, "seconds")
