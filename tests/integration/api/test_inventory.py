import pytest

from controller.domain.model import Role
from controller.domain.watch import PoolSeen, Seen
from shared.enums import Reach, ReadingCode
from tests.fakes.clock import START
from tests.integration.api.conftest import Api


async def test_a_host_by_any_name_and_its_secret_only_once(site: Api) -> None:
    made = await site.ok(
        "POST", "/hosts", json={"cluster": "kvm", "name": "c", "address": "10.0.0.3", "external_id": "cs-c"}
    )
    assert len(made["agent_token"]) >= 40
    for ref in ("c", "cs-c", made["id"]):
        found = await site.ok("GET", f"/hosts/{ref}")
        assert found["id"] == made["id"]
        assert found["health"]["armed"] is True
        assert "agent_token" not in found
    rotated = await site.ok("POST", "/hosts/c/agent-token")
    assert rotated["agent_token"] != made["agent_token"]
    everything = [await site.call("GET", path) for path in ("/hosts", "/hosts?cluster=kvm", "/audit")]
    assert all(made["agent_token"] not in one.text and rotated["agent_token"] not in one.text for one in everything)


async def test_a_host_is_shown_with_its_mounts_and_what_is_wrong_with_them(site: Api) -> None:
    host = await site.ok("GET", "/hosts/a")
    assert host["storage"] == {"seen_at": None, "pools": []}
    soft = PoolSeen(root="/mnt/x", readable=True, fs_type="nfs", mount_options="rw,soft", mount_source="nas:/x")
    gone = PoolSeen(root="/mnt/y", readable=False, code=ReadingCode.NOT_MOUNTED, detail="nothing is mounted there")
    site.sights.keep([Seen(host_id=host["id"], reach=Reach.AGENT_ANSWERED, pools=(soft, gone))], at=START)
    storage = (await site.ok("GET", "/hosts/a", role=Role.VIEWER))["storage"]
    assert storage["seen_at"] == "2025-01-07T03:12:00Z"
    missing, x, y = storage["pools"]
    assert (missing["root"], missing["notes"][0]["code"]) == ("/mnt/primary", "not_seen")
    assert (x["fs_type"], x["options"], x["source"], x["code"]) == ("nfs", "rw,soft", "nas:/x", None)
    assert (x["notes"][0]["code"], x["notes"][0]["severity"]) == ("soft", "warning")
    assert "Mount it hard." in x["notes"][0]["text"]
    assert (y["code"], y["notes"][0]["code"]) == ("not_mounted", "unreadable")
    assert (await site.ok("GET", "/hosts/b"))["storage"]["seen_at"] is None


async def test_the_life_of_a_cluster(site: Api) -> None:
    await site.ok("PATCH", "/clusters/kvm", json={"external_id": "cs-1"})
    assert (await site.ok("GET", "/clusters/cs-1")) == (await site.ok("GET", "/clusters/kvm"))
    refused = await site.call("DELETE", "/clusters/kvm")
    assert (refused.status_code, refused.json()["code"]) == (409, "cluster_has_hosts")
    for host in ("a", "b"):
        assert (await site.call("DELETE", f"/hosts/{host}")).status_code == 204
    assert (await site.call("DELETE", "/clusters/kvm")).status_code == 204
    assert await site.ok("GET", "/clusters") == []
    assert await site.ok("GET", "/pools") == []


async def test_what_is_left_out_of_a_patch_stays_and_null_is_not_a_name(site: Api) -> None:
    changed = await site.ok("PATCH", "/hosts/a", json={"maintenance": True})
    assert (changed["name"], changed["address"], changed["maintenance"]) == ("a", "a.example", True)
    refused = await site.call("PATCH", "/hosts/a", json={"name": None})
    assert (refused.status_code, refused.json()["field"]) == (422, "name")
    refused = await site.call("PATCH", "/hosts/a", json={"cluster": "other"})
    assert (refused.status_code, refused.json()["field"]) == (422, "cluster")


async def test_the_vms_of_a_host(site: Api) -> None:
    web = {"name": "web", "disks": [{"path": "/mnt/primary/web.qcow2"}]}
    [made] = await site.ok("PUT", "/hosts/a/vms", role=Role.OPERATOR, json=[web])
    assert made["disks"][0]["path"] == "/mnt/primary/web.qcow2"
    await site.ok("PUT", "/hosts/a/vms/db", json={"kind": "router", "ha_enabled": False})
    listed = await site.ok("GET", "/hosts/a/vms", role=Role.VIEWER)
    assert [(one["name"], one["kind"]) for one in listed] == [("db", "router"), ("web", "user")]
    await site.ok("DELETE", "/hosts/a/vms/db")
    refused = await site.call("DELETE", "/pools/primary")
    assert (refused.status_code, refused.json()["code"]) == (409, "pool_in_use")
    await site.ok("PUT", "/hosts/a/vms", json=[])
    await site.ok("PATCH", "/pools/primary", json={"root": "/mnt/other"})
    found = await site.ok("GET", "/pools/primary")
    assert found["root"] == "/mnt/other"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field"),
    [
        ("GET", "/hosts/z", None, 404, "unknown_host", "host"),
        ("GET", "/clusters/z", None, 404, "unknown_cluster", "cluster"),
        ("GET", "/pools/z", None, 404, "unknown_pool", "pool"),
        ("GET", "/incidents/z", None, 404, "unknown_incident", None),
        ("GET", "/incidents/not%20an%20id", None, 422, "bad_input", "incident_id"),
        ("GET", "/incidents?cursor=x", None, 422, "bad_cursor", "cursor"),
        ("GET", "/incidents?limit=0", None, 422, "bad_input", "limit"),
        ("GET", "/incidents?host=z", None, 404, "unknown_host", "host"),
        ("POST", "/clusters", {"name": "kvm"}, 409, "conflict", "name"),
        ("POST", "/clusters", {"name": "a/b"}, 422, "bad_name", "name"),
        ("POST", "/clusters", {}, 422, "bad_input", "name"),
        ("POST", "/clusters", {"name": "x\x00"}, 422, "bad_input", "name"),
        ("POST", "/hosts", {"cluster": "z", "name": "c", "address": "c"}, 404, "unknown_cluster", "cluster"),
        ("POST", "/hosts", {"cluster": "kvm", "name": "a", "address": "c"}, 409, "conflict", "name"),
        ("POST", "/hosts", {"cluster": "kvm", "name": "c", "address": "a b"}, 422, "bad_address", "address"),
        ("POST", "/hosts", {"cluster": "kvm", "name": "c", "address": "a.example"}, 409, "address_taken", "address"),
        ("POST", "/pools", {"name": "p", "kind": "file", "root": "x"}, 422, "bad_root", "root"),
        ("POST", "/pools", {"name": "p", "kind": "tape"}, 422, "bad_input", "kind"),
        ("PUT", "/hosts/a/vms/v", {"disks": [{"path": "/etc/passwd"}]}, 422, "disk_outside_pools", "disks"),
        ("PUT", "/hosts/a/vms", [{"name": "v"}, {"name": "v"}], 422, "duplicate_vm", "name"),
        ("DELETE", "/hosts/a/vms/v", None, 404, "unknown_vm", "vm"),
        ("POST", "/hosts/a/disconnect", {"at": "yesterday"}, 422, "bad_input", "at"),
        ("POST", "/hosts/a/disconnect", {"at": "2026-03-01T12:00:00"}, 422, "bad_input", "at"),
        ("POST", "/hosts/a/disconnect", {"at": "0001-01-01T00:00:00+14:00"}, 422, "bad_input", "at"),
        ("POST", "/hosts/a/disconnect", {"at": 1772366400}, 422, "bad_input", "at"),
        ("POST", "/hosts/z/disconnect", None, 404, "unknown_host", "host"),
        ("POST", "/pauses", {"level": "global", "owner": "kvm", "reason": "x"}, 422, "bad_owner", "owner"),
        ("POST", "/pauses", {"level": "host", "reason": "x", "owner": "z"}, 404, "unknown_host", "host"),
        ("POST", "/pauses", {"level": "global", "reason": " "}, 422, "bad_input", "reason"),
        ("POST", "/pauses/z/lift", {"reason": "x"}, 404, "unknown_pause", None),
        ("DELETE", "/tokens/z", None, 404, "unknown_token", None),
        ("POST", "/tokens", {"name": "the admin", "role": "admin"}, 409, "conflict", "name"),
        ("POST", "/tokens", {"name": "t", "role": "king"}, 422, "bad_input", "role"),
        ("PUT", "/clusters", None, 405, "method_not_allowed", None),
    ],
)
async def test_a_mistake_gets_a_clear_answer(
    site: Api, method: str, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    answer = await site.call(method, path, json=body)
    told = answer.json()
    assert (answer.status_code, told["code"], told.get("field")) == (status, code, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == status
    assert told["type"] == f"urn:hostfence:problem:{code}"
    assert len(told["detail"]) > 5
    assert "Traceback" not in answer.text


async def test_a_wrong_method_is_told_the_right_ones(site: Api) -> None:
    answer = await site.call("PUT", "/clusters/kvm")
    assert answer.headers["allow"] == "DELETE, GET, PATCH"


async def test_a_body_that_is_no_json(site: Api) -> None:
    headers = {**site.as_role(Role.ADMIN), "content-type": "application/json"}
    for content in (b"{", b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 50_000, b"9" * 10_000):
        answer = await site.nobody.post("/api/v1/clusters", headers=headers, content=content)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"]
