"""The security walk: every route of the live description, with no token, broken tokens, and each role.

The table is written by hand: a new route has to be entered here before the tests pass. It is about everything that
programs talk to: what lies under ``/api``, and ``/metrics``, ``/healthz``, ``/readyz``. All other paths are pages for
people, with sessions instead of tokens; who may see those is asked in ``tests/web`` (``/docs`` holds no data).
"""

import pytest
from fastapi.routing import iter_route_contexts

from controller.domain.model import Role
from controller.services.access import create_token, revoke_token
from tests.integration.api.conftest import Api

_READ = {Role.VIEWER, Role.OPERATOR, Role.ADMIN}
_REPORT = {Role.REPORTER, Role.OPERATOR, Role.ADMIN}
_OPERATE = {Role.OPERATOR, Role.ADMIN}
_ADMIN = {Role.ADMIN}

MAY: dict[str, set[Role]] = {
    "GET /metrics": _READ,
    "GET /whoami": set(Role),
    "GET /clusters": _READ,
    "POST /clusters": _ADMIN,
    "GET /clusters/{cluster}": _READ,
    "PATCH /clusters/{cluster}": _ADMIN,
    "DELETE /clusters/{cluster}": _ADMIN,
    "GET /clusters/{cluster}/readiness": _READ,
    "GET /readiness": _READ,
    "GET /cloud": _READ,
    "GET /hosts": _READ,
    "POST /hosts": _ADMIN,
    "GET /hosts/{host}": _READ,
    "PATCH /hosts/{host}": _ADMIN,
    "DELETE /hosts/{host}": _ADMIN,
    "GET /hosts/{host}/explain": _READ,
    "POST /hosts/{host}/agent-token": _ADMIN,
    "POST /hosts/{host}/join-token": _ADMIN,
    "GET /hosts/{host}/vms": _READ,
    "PUT /hosts/{host}/vms": _OPERATE,
    "PUT /hosts/{host}/vms/{vm}": _OPERATE,
    "DELETE /hosts/{host}/vms/{vm}": _OPERATE,
    "POST /hosts/{host}/disconnect": _REPORT,
    "POST /hosts/{host}/reconnect": _REPORT,
    "POST /hosts/{host}/rearm": _OPERATE,
    "GET /hosts/{host}/power": _OPERATE,
    "POST /hosts/{host}/power/test": _OPERATE,
    "POST /hosts/{host}/power/blink": _OPERATE,
    "POST /hosts/{host}/power/off": _OPERATE,
    "POST /hosts/{host}/power/on": _OPERATE,
    "POST /hosts/{host}/power/reboot": _OPERATE,
    "GET /pools": _READ,
    "POST /pools": _ADMIN,
    "GET /pools/{pool}": _READ,
    "PATCH /pools/{pool}": _ADMIN,
    "DELETE /pools/{pool}": _ADMIN,
    "GET /settings/catalogue": _READ,
    "GET /incidents": _READ,
    "GET /incidents/{incident_id}": _READ,
    "GET /incidents/{incident_id}/events": _READ,
    "GET /incidents/{incident_id}/rounds": _READ,
    "GET /incidents/{incident_id}/attempts": _READ,
    "GET /incidents/{incident_id}/effects": _READ,
    "POST /incidents/{incident_id}/acknowledge": _OPERATE,
    "POST /incidents/{incident_id}/cancel": _OPERATE,
    "POST /incidents/{incident_id}/retry": _OPERATE,
    "GET /users": _ADMIN,
    "POST /users": _ADMIN,
    "PUT /users/{user}/role": _ADMIN,
    "PUT /users/{user}/password": _ADMIN,
    "POST /users/{user}/disable": _ADMIN,
    "POST /users/{user}/enable": _ADMIN,
    "GET /pauses": _READ,
    "POST /pauses": _OPERATE,
    "POST /pauses/{pause_id}/lift": _OPERATE,
    "GET /tokens": _ADMIN,
    "POST /tokens": _ADMIN,
    "DELETE /tokens/{token_id}": _ADMIN,
    "GET /notifications": _READ,
    "GET /notifications/{notification_id}": _READ,
    "POST /notifications/{notification_id}/resend": _OPERATE,
    "GET /deliveries": _READ,
    "GET /channels": _READ,
    "GET /channels/kinds": _READ,
    "POST /channels/test": _OPERATE,
    "POST /channels/resend": _OPERATE,
    "GET /audit": _READ,
    "GET /reasons": _READ,
    "GET /deployment": _READ,
} | {
    f"{method} {level}/{what}": roles
    for level in ("", "/clusters/{cluster}", "/hosts/{host}")
    for method, what, roles in (
        ("GET", "settings", _READ),
        ("PUT", "settings", _ADMIN),
        ("PATCH", "settings", _ADMIN),
        ("GET", "settings/effective", _READ),
        ("GET", "mode", _READ),
        ("PUT", "mode", _ADMIN),
    )
}

WITHOUT_A_TOKEN = {
    "GET /healthz": "says nothing about the site",
    "GET /readyz": "says nothing about the site",
    "POST /enrol": "brings a join token instead: test_enrolment.py",
    "POST /renew": "is signed with what the host has: test_renewal.py",
    "POST /renew/challenge": "is answered for every id alike: test_renewal.py",
}
"""Route: why that is all right."""

HIDDEN = {"/api/v1/openapi.json"}
"""Not in the description, as they are the description; a token is asked for all the same (below)."""

PROGRAMS = ("/api", "/metrics", "/healthz", "/readyz")


def _parts(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    return method, path if path.startswith(PROGRAMS) else "/api/v1" + path


async def test_every_route_of_the_description_is_in_the_table(api: Api) -> None:
    described = (await api.call("GET", "/openapi.json")).json()
    routes = {
        f"{method.upper()} {path}"
        for path, methods in described["paths"].items()
        if path.startswith(PROGRAMS)
        for method in methods
    }
    assert routes == {f"{method} {path}" for method, path in map(_parts, MAY | WITHOUT_A_TOKEN)}


async def test_no_route_for_programs_is_left_out_of_the_description(api: Api) -> None:
    described = (await api.call("GET", "/openapi.json")).json()["paths"]
    there = {str(route.path) for route in iter_route_contexts(api.app.routes)}
    assert {path for path in there if path.startswith(PROGRAMS)} == set(described) | HIDDEN


@pytest.mark.parametrize("route", sorted(MAY))
async def test_no_route_answers_without_a_token_of_its_own(api: Api, route: str) -> None:
    method, path = _parts(route)
    admin = api.tokens[Role.ADMIN]
    made, revoked = await create_token(api.store, api.clock, name="gone", role=Role.ADMIN, actor="test")
    await revoke_token(api.store, api.clock, made.id, actor="test")
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer " + "x" * 100_000,
        f"Bearer {revoked}",
        f"Basic {admin}",
        admin,
        f"Bearer {admin}x",
        f"Bearer {admin[:-1]}",
        f"Bearer {admin.upper()}",
        f"Bearer {admin} {admin}",
        f"Bearer,{admin}",
        "Bearer é",
    ):
        headers = {} if header is None else {b"authorization": header.encode()}
        answer = await api.nobody.request(method, path, headers=headers, content=b"{not json")
        assert answer.status_code == 401, header
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert admin not in answer.text
    for elsewhere in ({"params": {"access_token": admin}}, {"cookies": {"token": admin}}):
        api.nobody.cookies.clear()
        for name, value in elsewhere.get("cookies", {}).items():
            api.nobody.cookies.set(name, value)
        answer = await api.nobody.request(method, path, params=elsewhere.get("params"))
        assert answer.status_code == 401, elsewhere


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "POST", "DELETE", "NONSENSE"])
async def test_no_method_opens_the_door(api: Api, method: str) -> None:
    assert (await api.nobody.request(method, "/api/v1/hosts")).status_code == 401


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/hosts", "/api/v1/hosts/", "/api//v1"]
)
async def test_nothing_under_api_answers_without_a_token(api: Api, path: str) -> None:
    assert (await api.nobody.get(path)).status_code == 401


@pytest.mark.parametrize("route", sorted(WITHOUT_A_TOKEN))
async def test_what_needs_no_token_has_no_use_for_one(api: Api, route: str) -> None:
    method, path = _parts(route)
    answers = [await api.nobody.request(method, path, json=["an impossible body"])]
    answers += [await api.nobody.request(method, path, json=["x"], headers=api.as_role(role)) for role in Role]
    assert {answer.status_code for answer in answers} <= {200, 422, 503}
    assert len({answer.status_code for answer in answers}) == 1


@pytest.mark.parametrize("route", sorted(MAY))
async def test_each_role_may_what_the_table_says(site: Api, route: str) -> None:
    method, path = _parts(route)
    path = path.replace("{host}", "a").replace("{cluster}", "kvm").replace("{pool}", "primary")
    path = path.replace("{incident_id}", "no-such").replace("{token_id}", "no-such").replace("{pause_id}", "no-such")
    path = path.replace("{notification_id}", "no-such")
    for role in Role:
        answer = await site.nobody.request(method, path, headers=site.as_role(role), json=["an impossible body"])
        if role in MAY[route]:
            assert answer.status_code not in (401, 403), role
            assert answer.status_code < 500
        else:
            assert answer.status_code == 403, role
            assert answer.json()["code"] == "role_needed"
        if method == "DELETE" and answer.is_success:
            break


async def test_a_revoked_token_is_worth_nothing_at_once(api: Api) -> None:
    made = await api.call("POST", "/tokens", json={"name": "plugin", "role": "reporter"})
    assert made.status_code == 201
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await api.nobody.get("/api/v1/whoami", headers=headers)).json() == {"name": "plugin", "role": "reporter"}
    assert (await api.call("DELETE", f"/tokens/{made.json()['id']}")).status_code == 204
    assert (await api.nobody.get("/api/v1/whoami", headers=headers)).status_code == 401
    listed = await api.call("GET", "/tokens")
    assert made.json()["token"] not in listed.text
    assert "digest" not in listed.text


async def test_unknown_paths_need_a_token_too(api: Api) -> None:
    assert (await api.nobody.get("/api/v1/nothing")).status_code == 401
    assert (await api.nobody.get("/api/nothing")).status_code == 401
    assert (await api.nobody.get("/api/v1/openapi.json")).status_code == 401
    found = await api.call("GET", "/nothing")
    assert (found.status_code, found.json()["code"]) == (404, "not_found")


async def test_health_needs_no_token_and_tells_of_the_database(api: Api) -> None:
    answer = await api.nobody.get("/healthz")
    assert answer.json() == {"status": "ok", "database": "ok", "version": "1.2.3"}


async def test_the_docs_bring_their_own_assets(api: Api) -> None:
    page = await api.nobody.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text + page.headers["content-security-policy"]
    assert "https://" not in page.text
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"docs/assets/{asset}" in page.text
        assert (await api.nobody.get(f"/docs/assets/{asset}")).status_code == 200
    assert (await api.nobody.get("/docs/assets/swagger-ui-LICENSE")).status_code == 200
    assert (await api.nobody.get("/docs/assets/../auth.py")).status_code == 404
