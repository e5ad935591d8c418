"""Users over REST: made, changed, disabled; no password in any answer; the last enabled admin stays one."""

import pytest

from controller.domain.model import Role
from controller.services import passwords
from tests.integration.api.conftest import Api

WORDS = "five unrelated words of it"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real scrypt, with a cost that fits a test."""
    monkeypatch.setattr(passwords, "_LOG_N", 10)


async def test_a_user_is_made_changed_disabled_and_enabled(site: Api) -> None:
    answer = await site.call("POST", "/users", json={"name": "olaf", "role": "operator", "password": WORDS})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["role"], made["disabled_at"]) == ("olaf", "operator", None)
    assert (await site.ok("PUT", "/users/olaf/role", json={"role": "viewer"}))["role"] == "viewer"
    await site.ok("PUT", f"/users/{made['id']}/password", json={"password": f"{WORDS} again"})
    assert (await site.ok("POST", "/users/olaf/disable"))["disabled_at"] is not None
    assert (await site.ok("POST", "/users/olaf/enable"))["disabled_at"] is None
    listed = await site.call("GET", "/users", role=Role.ADMIN)
    assert [one["name"] for one in listed.json()] == ["olaf"]
    assert {"password", "scrypt"}.isdisjoint(listed.json()[0])
    audit = await site.call("GET", "/audit")
    done = sorted(one["action"] for one in audit.json()["items"] if one["action"].startswith("user."))
    assert done == ["user.create", "user.disable", "user.enable", "user.password", "user.role"]
    for one in (answer, listed, audit):
        assert WORDS not in one.text
        assert "scrypt" not in one.text


async def test_what_cannot_be_is_refused_with_its_field_and_without_the_password(site: Api) -> None:
    for body, field in (
        ({"name": "olaf", "role": "operator", "password": "short-one"}, "password"),
        ({"name": "olaf", "role": "reporter", "password": WORDS}, "role"),
        ({"name": "a/b", "role": "viewer", "password": WORDS}, "name"),
    ):
        answer = await site.call("POST", "/users", json=body)
        assert answer.status_code == 422
        assert f'"{field}"' in answer.text
        assert body["password"] not in answer.text
    assert (await site.call("POST", "/users/nobody/disable")).status_code == 404
    assert await site.ok("GET", "/users") == []


async def test_the_last_enabled_admin_stays_one(site: Api) -> None:
    for name in ("ada", "bea"):
        await site.call("POST", "/users", json={"name": name, "role": "admin", "password": WORDS})
    await site.ok("POST", "/users/bea/disable")
    for answer in (
        await site.call("POST", "/users/ada/disable"),
        await site.call("PUT", "/users/ada/role", json={"role": "viewer"}),
    ):
        assert answer.status_code == 409
        assert answer.json()["code"] == "last_admin"
    await site.ok("POST", "/users/bea/enable")
    await site.ok("POST", "/users/ada/disable")
