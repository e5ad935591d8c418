"""The CloudStack double against `cs`, a client that is not ours: what it signs, pages and waits for works here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cs import CloudStack, CloudStackApiException

from tests.fakes.cloudstack import ApiKey, CloudStackDouble
from tests.fakes.cloudstack.model import Kind
from tests.fakes.cloudstack.signature import signature


@pytest.fixture
def double() -> Iterator[CloudStackDouble]:
    with CloudStackDouble() as running:
        running.site.build(["kvm1", "kvm2", "kvm3"])
        running.site.jobs.seconds = 0.05
        yield running


def client(double: CloudStackDouble, method: str = "post", **settings: Any) -> Any:
    more = {"key": double.key, "secret": double.secret, "poll_interval": 0.05, **settings}
    return CloudStack(endpoint=double.url, method=method, **more)


def signed(double: CloudStackDouble, command: str, *, key: ApiKey | None = None, **more: str) -> dict[str, str]:
    """The parameters of a request as the briefest client would make them."""
    known = key or next(iter(double.api.keys.values()))
    values = {"command": command, "apiKey": known.key, "response": "json", **more}
    return values | {"signature": signature(values, known.secret)}


def ask(double: CloudStackDouble, command: str, key: ApiKey | None = None, **more: str) -> httpx.Response:
    return httpx.post(double.url, data=signed(double, command, key=key, **more))


@pytest.mark.parametrize("method", ["get", "post"])
def test_cs_signs_what_the_double_expects(double: CloudStackDouble, method: str) -> None:
    hosts = client(double, method).listHosts(type="Routing", hypervisor="KVM", details=["min"])

    assert [host["name"] for host in hosts["host"]] == ["kvm1", "kvm2", "kvm3"]
    assert hosts["count"] == 3
    assert double.requests[-1].method == method.upper()
    assert double.requests[-1].params["signatureVersion"] == "3"


@pytest.mark.parametrize("word", ["two words", "a+b", "50%", "ümläut", "a*b", "a&b=c", "a/b:c,d", "UPPER case"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_whatever_stands_in_a_value_the_signature_is_the_same(double: CloudStackDouble, method: str, word: str) -> None:
    double.site.add_zone(word)

    assert client(double, method).listZones(name=word)["zone"][0]["name"] == word


def test_a_tilde_is_signed_as_java_encodes_it(double: CloudStackDouble) -> None:
    double.site.add_zone("a~b")
    with pytest.raises(CloudStackApiException, match="401"):  # cs leaves it as it is
        client(double).listZones(name="a~b")

    values = signed(double, "listZones", name="a~b")
    for wire in ("a~b", "a%7Eb"):
        query = "&".join(f"{name}={quote(value)}" for name, value in values.items() if name != "name")
        assert httpx.get(f"{double.url}?{query}&name={wire}").json()["listzonesresponse"]["count"] == 1


@pytest.mark.parametrize("wire", ["two+words", "two%20words"])
def test_blanks_may_travel_in_either_encoding(double: CloudStackDouble, wire: str) -> None:
    double.site.add_zone("two words")
    values = signed(double, "listZones", name="two words")
    body = "&".join(f"{name}={quote(value)}" for name, value in values.items() if name != "name")

    answer = httpx.post(
        double.url, content=f"{body}&name={wire}", headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.json()["listzonesresponse"]["count"] == 1


@pytest.mark.parametrize("change", [{"secret": "another"}, {"key": "nobody"}, {"expiration": 0}])
def test_a_wrong_secret_an_unknown_key_and_an_old_request_are_refused(
    double: CloudStackDouble, change: dict[str, Any]
) -> None:
    if "expiration" in change:
        double.api.expiry_clock = lambda: datetime.now(UTC) + timedelta(seconds=2)
    with pytest.raises(CloudStackApiException) as refused:
        client(double, **change).listHosts()

    assert refused.value.response.status_code == 401
    assert refused.value.error == {
        "uuidList": [],
        "errorcode": 401,
        "errortext": "unable to verify user credentials and/or request signature",
    }


def test_without_expiry_only_where_it_is_not_enforced(double: CloudStackDouble) -> None:
    assert ask(double, "listZones").status_code == 200

    double.site.settings["enforce.post.requests.and.timestamps"] = "true"

    assert ask(double, "listZones").status_code == 401
    far = (datetime.now(UTC) + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    assert ask(double, "listZones", signatureversion="3", expires=far).status_code == 401
    near = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    assert ask(double, "listZones", signatureversion="3", expires=near).status_code == 200
    host = double.site.host("kvm1").id
    values = signed(double, "updateHost", id=host, signatureversion="3", expires=near)
    assert httpx.get(double.url, params=values).status_code == 405


@pytest.mark.parametrize("expires", ["", "tomorrow", "2030-01-01"])
def test_version_3_needs_an_expiry_that_is_a_date(double: CloudStackDouble, expires: str) -> None:
    assert ask(double, "listZones", signatureversion="3", expires=expires).status_code == 401


def test_a_changed_parameter_is_noticed(double: CloudStackDouble) -> None:
    values = signed(double, "listHosts", state="Up") | {"state": "Down"}

    assert httpx.post(double.url, data=values).status_code == 401


def test_an_unknown_command_has_no_response_of_its_own(double: CloudStackDouble) -> None:
    answer = ask(double, "fenceHost")

    assert answer.status_code == 401
    assert answer.json()["errorresponse"]["errorcode"] == 401


def test_a_role_without_the_right_is_refused_and_does_not_see_the_command(double: CloudStackDouble) -> None:
    double.add_key(key := ApiKey(key="few", secret="s", rights=frozenset({"listHosts", "listApis"})))

    seen = ask(double, "listApis", key=key).json()["listapisresponse"]
    refused = ask(double, "updateHost", key=key, id=double.site.host("kvm1").id)

    assert {one["name"] for one in seen["api"]} == {"listHosts", "listApis"}
    assert refused.status_code == 401
    assert "either does not exist, is not available" in refused.json()["updatehostresponse"]["errortext"]
    assert ask(double, "listApis", key=key, name="updateHost").status_code == 530


def test_paths_and_hosts_are_for_root_administrators(double: CloudStackDouble) -> None:
    double.site.add_vm("vm1", double.site.host("kvm1"), [double.site.pool("primary1")])
    double.add_key(key := ApiKey(key="user", secret="s", root_admin=False))

    theirs = ask(double, "listVolumes", key=key, listall="true").json()["listvolumesresponse"]["volume"][0]
    ours = client(double).listVolumes(listall=True)["volume"][0]

    assert {"path", "storageid", "storage"} & set(theirs) == set()
    assert ours["storageid"] == double.site.pool("primary1").id
    assert "hostid" not in ask(double, "listVirtualMachines", key=key).text


def test_pages(double: CloudStackDouble) -> None:
    cluster = next(iter(double.site.clusters.values()))
    for number in range(7):
        double.site.add_host(f"more{number}", cluster)
    cs = client(double)

    assert len(cs.listHosts(fetch_list=True, pagesize=3)) == 10
    assert [one.params["page"] for one in double.requests] == ["1", "2", "3", "4"]
    assert cs.listHosts(page=5, pagesize=3) == {"count": 10}
    assert cs.listHosts(name="nobody") == {}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"page": "1"}, '"pagesize" parameter is required'),
        ({"pagesize": "10"}, '"page" parameter is required'),
        ({"page": "1", "pagesize": "501"}, "can't exceed max allowed page size value: 500"),
        ({"page": "1", "pagesize": "many"}, "invalid value many for parameter pagesize"),
        ({"id": "no-such-host"}, "Invalid parameter id value=no-such-host"),
    ],
)
def test_refused_parameters(double: CloudStackDouble, more: dict[str, str], text: str) -> None:
    answer = ask(double, "listHosts", None, **more)

    assert answer.status_code == 431
    assert text in answer.json()["listhostsresponse"]["errortext"]
    assert answer.json()["listhostsresponse"]["errorcode"] == 431


def test_a_missing_parameter(double: CloudStackDouble) -> None:
    answer = ask(double, "updateHost").json()["updatehostresponse"]

    assert answer["errortext"] == "Unable to execute API command updatehost due to missing parameter id"


def test_cs_waits_for_a_job_and_has_its_result(double: CloudStackDouble) -> None:
    site = double.site
    site.stop_agent("kvm1")

    result = client(double).declareHostAsDegraded(id=site.host("kvm1").id, fetch_result=True)

    assert result["host"]["resourcestate"] == "Degraded"
    assert double.count("queryAsyncJobResult") >= 1


def test_a_job_that_fails_says_why(double: CloudStackDouble) -> None:
    with pytest.raises(CloudStackApiException) as failed:
        client(double).declareHostAsDegraded(id=double.site.host("kvm1").id, fetch_result=True)

    assert failed.value.error["errorcode"] == 530
    assert "when host is in Up status" in failed.value.error["errortext"]


def test_projects_routers_and_system_machines_are_asked_for_on_their_own(double: CloudStackDouble) -> None:
    site, pools = double.site, [double.site.pool("primary1")]
    host = site.host("kvm1")
    site.add_vm("own", host, pools)
    site.add_vm("other", host, pools, account="bob")
    site.add_vm("project", host, pools, project="p1")
    site.add_vm("second", host, pools, project="p2")
    site.add_vm("router", host, pools, kind=Kind.ROUTER)
    site.add_vm("proxy", host, pools, kind=Kind.CONSOLE_PROXY)
    cs = client(double)

    def names(key: str, answer: dict[str, Any]) -> set[str]:
        return {one["name"] for one in answer.get(key, [])}

    assert names("virtualmachine", cs.listVirtualMachines()) == {"own"}
    assert names("virtualmachine", cs.listVirtualMachines(listall=True, hostid=host.id)) == {"own", "other"}
    assert names("virtualmachine", cs.listVirtualMachines(listall=True, projectid="-1")) == {"project", "second"}
    one = site.vm("second").project_id
    assert names("virtualmachine", cs.listVirtualMachines(listall=True, projectid=one)) == {"second"}
    assert names("router", cs.listRouters(listall=True, hostid=host.id)) == {site.vm("router").instance_name}
    assert names("systemvm", cs.listSystemVms(hostid=host.id)) == {site.vm("proxy").instance_name}
    assert cs.listVolumes(listall=True)["count"] == 2
    assert cs.listVolumes(listall=True, projectid="-1")["count"] == 2
    assert cs.listVolumes(listall=True, listsystemvms=True)["count"] == 4
    assert cs.listVirtualMachines(listall=True, hostid=site.host("kvm2").id) == {}


def test_the_old_profile_lacks_what_came_later() -> None:
    with CloudStackDouble("old") as double:
        double.site.build(["kvm1"])
        cs = client(double)

        assert cs.listCapabilities()["capability"]["cloudstackversion"] == "4.11.3.0"
        names = {one["name"] for one in cs.listApis()["api"]}
        assert {"declareHostAsDegraded", "listManagementServers"} & names == set()
        with pytest.raises(CloudStackApiException, match="401"):
            cs.declareHostAsDegraded(id=double.site.host("kvm1").id)


def test_a_host_as_it_is_listed(double: CloudStackDouble) -> None:
    host = client(double).listHosts(name="kvm1", details="min")["host"][0]

    assert host["outofbandmanagement"]["password"] == "s****"
    assert host["lastpinged"].startswith("1970-01-")
    assert "disconnected" not in host
    assert host["hostha"]["haenable"] is False
    assert datetime.strptime(host["created"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None
