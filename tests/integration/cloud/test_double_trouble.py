"""The double's bad days, on a socket and in process."""

from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.cloudstack import CloudStackDouble
from tests.fakes.cloudstack.schedule import ManualTime
from tests.fakes.cloudstack.signature import signature
from tests.integration.cloud.virtual import START, Cloud


@pytest.fixture
def double() -> Iterator[CloudStackDouble]:
    with CloudStackDouble(control=True) as running:
        running.site.build(["kvm1", "kvm2"])
        yield running


def signed(double: CloudStackDouble, command: str, **more: str) -> dict[str, str]:
    values = {"command": command, "apiKey": double.key, "response": "json", **more}
    return values | {"signature": signature(values, double.secret)}


def ask(double: CloudStackDouble, command: str = "listHosts", timeout: float = 5.0, **more: str) -> httpx.Response:
    return httpx.post(double.url, data=signed(double, command, **more), timeout=timeout)


@pytest.mark.parametrize(("plan", "status"), [("unauthorized", 401), ("limited", 429), ("html", 503)])
def test_the_next_request_fails_and_the_one_after_it_does_not(double: CloudStackDouble, plan: str, status: int) -> None:
    getattr(double.trouble, plan)()

    assert [ask(double).status_code for _ in range(2)] == [status, 200]


def test_an_html_page_may_say_200(double: CloudStackDouble) -> None:
    double.trouble.html(200)

    answer = ask(double)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html;charset=utf-8")
    assert answer.text.startswith("<!doctype html>")


def test_trouble_with_one_command_only_and_for_as_long_as_wanted(double: CloudStackDouble) -> None:
    double.trouble.error(530, "Internal error", command="listZones", times=None)

    assert [ask(double, one).status_code for one in ("listHosts", "listZones", "listZones")] == [200, 530, 530]
    double.trouble.clear()
    assert ask(double, "listZones").status_code == 200


@pytest.mark.parametrize("does", [True, False])
def test_a_cut_connection_may_or_may_not_have_done_it(double: CloudStackDouble, *, does: bool) -> None:
    host = double.site.host("kvm1")
    double.trouble.cut("updateHost", does=does)

    with pytest.raises(httpx.RemoteProtocolError):
        ask(double, "updateHost", id=host.id, allocationstate="Disable")

    assert host.resource_state == ("Disabled" if does else "Enabled")


def test_a_slow_answer(double: CloudStackDouble) -> None:
    double.trouble.slow(0.3)
    with pytest.raises(httpx.ReadTimeout):
        ask(double, timeout=0.1)

    assert ask(double).status_code == 200


def test_an_api_that_is_down_is_back_in_time(double: CloudStackDouble) -> None:
    double.site.api_down(0.2)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(double)
    double.site.down_until = 0.0

    assert ask(double).status_code == 200


def test_requests_are_noted_without_key_and_signature(double: CloudStackDouble) -> None:
    ask(double, "listHosts", state="Up")

    assert double.count("listHosts") == 1
    assert double.requests[0].params == {"command": "listHosts", "response": "json", "state": "Up"}


def test_a_demo_does_things_to_it_over_http(double: CloudStackDouble) -> None:
    double.site.add_vm("vm1", double.site.host("kvm1"), [double.site.pool("primary1")])
    root = double.url.removesuffix("/client/api") + "/control"

    assert httpx.post(f"{root}/kill_host", json={"name": "kvm1"}).json() == {"result": None}
    view = httpx.post(f"{root}/view").json()["result"]
    assert view["hosts"][0] == {"name": "kvm1", "state": "Up", "resourcestate": "Enabled", "alive": False}
    assert view["vms"] == [{"name": "vm1", "state": "Running", "host": "kvm1", "runs_on": []}]
    assert httpx.post(f"{root}/kill_host", json={"name": "nobody"}).status_code == 400
    assert httpx.post(f"{root}/format_disk").status_code == 404


def test_the_control_surface_is_off_by_default() -> None:
    with CloudStackDouble() as double:
        assert httpx.post(double.url.removesuffix("/client/api") + "/control/view").status_code == 404


def test_a_lost_a_stuck_and_a_failed_job() -> None:
    cloud = Cloud()
    for plan in (cloud.double.trouble.lost_job, cloud.double.trouble.stuck_job):
        plan("stopVirtualMachine")
        jobid = cloud.ask("stopVirtualMachine", **cloud.ids("ha"))["jobid"]
        cloud.time.advance(60)
        job = cloud.ask("queryAsyncJobResult", jobid=jobid)
        assert (job.get("errorcode"), job.get("jobstatus")) in {(431, None), (None, 0)}
        assert cloud.vm_row("ha")["state"] == "Stopped"  # its work was done all the same
        cloud.site.place("ha", "kvm1")

    cloud.double.trouble.failed_job("stopVirtualMachine", "no luck")
    assert cloud.job("stopVirtualMachine", **cloud.ids("ha"))["jobresult"] == {"errorcode": 530, "errortext": "no luck"}
    assert cloud.vm_row("ha")["state"] == "Running"
    assert cloud.job("stopVirtualMachine", **cloud.ids("ha"))["jobstatus"] == 1


def test_a_job_that_fails_half_way_leaves_what_it_began() -> None:
    cloud = Cloud()
    cloud.double.trouble.broken_job("stopVirtualMachine")

    assert cloud.job("stopVirtualMachine", forced="true", **cloud.ids("ha"))["jobstatus"] == 2

    assert cloud.vm_row("ha")["state"] == "Stopping"
    assert cloud.job("stopVirtualMachine", forced="true", **cloud.ids("ha"))["jobstatus"] == 1
    assert cloud.vm_row("ha")["state"] == "Stopped"


async def test_in_process_nothing_waits() -> None:
    time = ManualTime()
    double = CloudStackDouble(now=time, started=START)
    double.site.build(["kvm1"])
    async with httpx.AsyncClient(transport=double.transport(), timeout=10) as client:
        values = signed(double, "listHosts")

        double.trouble.slow(9)
        assert (await client.post(double.url, data=values)).json()["listhostsresponse"]["count"] == 1
        double.trouble.slow(11)
        with pytest.raises(httpx.ReadTimeout):
            await client.post(double.url, data=values)
        double.trouble.cut()
        with pytest.raises(httpx.ReadError):
            await client.post(double.url, data=values)
        double.site.restart_management_server(down_s=600)
        with pytest.raises(httpx.ReadError):
            await client.post(double.url, data=values)
        time.advance(600)
        rows = (await client.post(double.url, data=values)).json()["listhostsresponse"]["host"]
        assert rows[0]["state"] == "Disconnected"
