"""The client against a double of CloudStack on a socket: what is asked, what is read, what is tried again."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.cloud.cloudstack.client import CloudStackClient, JobStatus
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.rights import capabilities, missing
from tests.fakes.cloudstack.schedule import ManualTime
from tests.fakes.cloudstack.server import CloudStackDouble
from tests.fakes.cloudstack.signature import ApiKey

Make = Callable[..., CloudStackClient]


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()


@pytest.fixture
def cloud(time: ManualTime) -> Iterator[CloudStackDouble]:
    with CloudStackDouble(now=time) as double:
        double.site.build(["kvm1", "kvm2", "kvm3"])
        yield double


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def make(cloud: CloudStackDouble, pauses: list[float]) -> AsyncIterator[Make]:
    made: list[CloudStackClient] = []

    async def no_waiting(seconds: float) -> None:
        pauses.append(seconds)

    def one(**changes: Any) -> CloudStackClient:
        given = {"url": cloud.url, "key": cloud.key, "secret": cloud.secret, "sleep": no_waiting, **changes}
        made.append(CloudStackClient(given.pop("url"), **given))
        return made[-1]

    yield one
    for client in made:
        await client.aclose()


@pytest.fixture
def client(make: Make) -> CloudStackClient:
    return make()


async def error_of(client: CloudStackClient, command: str, **given: Any) -> CloudStackError:
    with pytest.raises(CloudStackError) as caught:
        await client.call(command, **given)
    return caught.value


async def host_id(client: CloudStackClient, name: str) -> str:
    return next(str(host["id"]) for host in await client.list("listHosts") if host["name"] == name)


async def test_what_is_asked(cloud: CloudStackDouble, make: Make) -> None:
    now = datetime.now(UTC) + timedelta(minutes=2)
    await make(now=lambda: now).list("listHosts", type="Routing", listall=True)
    (asked,) = cloud.requests
    expires = (now + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    assert asked.method == "POST"
    assert asked.params == {
        "command": "listHosts",
        "expires": expires,
        "listall": "true",
        "page": "1",
        "pagesize": "500",
        "response": "json",
        "signatureversion": "3",
        "type": "Routing",
    }


@pytest.mark.parametrize("value", ["a b", "a+b", "*", "~root", "a&b=c", "Zürich €", "%41", "/mnt/x", "'\""])
async def test_any_value_is_signed_as_cloudstack_checks_it(client: CloudStackClient, value: str) -> None:
    assert await client.list("listHosts", name=value) == []


async def test_a_payload_is_what_stands_under_the_commands_name(client: CloudStackClient) -> None:
    payload = await client.call("listCapabilities")
    assert payload["capability"]["cloudstackversion"] == "4.20.1.0"


async def test_a_list_longer_than_a_page(cloud: CloudStackDouble, client: CloudStackClient) -> None:
    for number in range(1203):
        cloud.site.add_vm(f"vm{number}", cloud.site.host("kvm1"))
    vms = await client.list("listVirtualMachines", listall=True)
    assert len({vm["id"] for vm in vms}) == len(vms) == 1203
    assert cloud.count("listVirtualMachines") == 3


async def test_a_cloud_that_allows_smaller_pages_only(cloud: CloudStackDouble, client: CloudStackClient) -> None:
    cloud.site.settings["default.page.size"] = "2"
    assert [host["name"] for host in await client.list("listHosts")] == ["kvm1", "kvm2", "kvm3"]


async def test_an_empty_list_is_empty(client: CloudStackClient) -> None:
    assert await client.list("listVirtualMachines", listall=True) == []


async def test_a_job_from_start_to_end(cloud: CloudStackDouble, client: CloudStackClient, time: ManualTime) -> None:
    vm = cloud.site.add_vm("vm1", cloud.site.host("kvm1"))
    job_id = await client.start("stopVirtualMachine", id=vm.id, forced=True)
    assert (await client.job(job_id)).status is JobStatus.PENDING
    time.advance(60)
    job = await client.job(job_id)
    assert job.status is JobStatus.DONE
    assert job.result["virtualmachine"]["id"] == vm.id
    assert vm.id not in repr(job)  # the result of a start may hold a password


async def test_a_job_that_fails_says_why(cloud: CloudStackDouble, client: CloudStackClient, time: ManualTime) -> None:
    cloud.trouble.failed_job("stopVirtualMachine", f"Resource [Host:1] is unreachable\nfor {cloud.key}")
    vm = cloud.site.add_vm("vm1", cloud.site.host("kvm1"))
    job_id = await client.start("stopVirtualMachine", id=vm.id, forced=True)
    time.advance(60)
    job = await client.job(job_id)
    assert (job.status, job.error) == (JobStatus.FAILED, "Resource [Host:1] is unreachable for ***")


async def test_a_job_that_cloudstack_has_forgotten(cloud: CloudStackDouble, client: CloudStackClient) -> None:
    cloud.trouble.lost_job("stopVirtualMachine")
    vm = cloud.site.add_vm("vm1", cloud.site.host("kvm1"))
    job_id = await client.start("stopVirtualMachine", id=vm.id)
    with pytest.raises(CloudStackError, match="does not exist") as caught:
        await client.job(job_id)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, 431)
    assert not caught.value.unavailable


async def test_a_command_without_a_job_cannot_be_started(client: CloudStackClient) -> None:
    with pytest.raises(CloudStackError) as caught:
        await client.start("listCapabilities")
    assert caught.value.kind is ErrorKind.MALFORMED


Trouble = Callable[[CloudStackDouble], None]
PASSING: dict[str, Trouble] = {
    "a page of a proxy": lambda cloud: cloud.trouble.html(503),
    "a page that pretends": lambda cloud: cloud.trouble.html(200),
    "an internal error": lambda cloud: cloud.trouble.error(530, "Internal error executing command"),
    "half an answer": lambda cloud: cloud.trouble.garbage(),
    "a cut": lambda cloud: cloud.trouble.cut(),
    "too many requests": lambda cloud: cloud.trouble.error(429, "api limit, please retry after 100 ms."),
}
passing = pytest.mark.parametrize("trouble", [pytest.param(trouble, id=name) for name, trouble in PASSING.items()])


@passing
async def test_a_read_is_tried_again(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float], trouble: Trouble
) -> None:
    trouble(cloud)
    assert len(await client.list("listHosts")) == 3
    assert pauses == [0.25]
    assert cloud.count("listHosts") == 2


@passing
async def test_a_change_is_never_sent_twice(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float], trouble: Trouble
) -> None:
    id_ = await host_id(client, "kvm1")
    trouble(cloud)
    error = await error_of(client, "updateHost", id=id_, allocationstate="Disable")
    assert error.sent
    assert error.command == "updateHost"
    assert cloud.count("updateHost") == 1
    assert pauses == []


async def test_a_change_whose_answer_was_lost_is_told_as_perhaps_done(
    cloud: CloudStackDouble, client: CloudStackClient
) -> None:
    id_ = await host_id(client, "kvm1")
    cloud.trouble.cut("updateHost", does=True)
    error = await error_of(client, "updateHost", id=id_, allocationstate="Disable")
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, True)
    assert cloud.site.host("kvm1").resource_state == "Disabled"


async def test_a_read_is_not_tried_for_ever(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float]
) -> None:
    cloud.trouble.html(503, times=None)
    error = await error_of(client, "listHosts")
    assert (error.kind, error.status) == (ErrorKind.MALFORMED, 503)
    assert "Service Unavailable" in error.said
    assert len(error.said) <= 300
    assert pauses == [0.25, 0.5, 1.0, 2.0]


async def test_pauses_end_with_the_deadline(cloud: CloudStackDouble, make: Make) -> None:
    clock = [1000.0]

    async def wait(seconds: float) -> None:
        clock[0] += seconds

    cloud.trouble.html(503, times=None)
    await error_of(make(boottime=lambda: clock[0], sleep=wait), "listHosts", deadline_s=1.0)
    assert clock[0] == 1000.75  # the next pause of a second would have passed it
    assert cloud.count("listHosts") == 3


async def test_a_limit_is_waited_out_if_it_is_short(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float]
) -> None:
    # The words of ApiRateLimitServiceImpl, of before and after 4.20.
    cloud.trouble.error(429, "The given user has reached his/her account api limit, please retry after 700 ms.")
    cloud.trouble.error(429, "The given user has reached his/her account api limit, please retry after [900] ms.")
    await client.call("listHosts")
    assert pauses == [0.7, 0.9]


async def test_a_limit_is_told_if_it_is_long(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float]
) -> None:
    cloud.trouble.error(429, "The given user has reached his/her account api limit, please retry after 3600000 ms.")
    error = await error_of(client, "listHosts")
    assert (error.kind, error.wait_s, pauses) == (ErrorKind.LIMITED, 3600.0, [])


@pytest.mark.parametrize("status", [431, 531, 533, 536])
async def test_a_refusal_is_no_trouble(
    cloud: CloudStackDouble, client: CloudStackClient, pauses: list[float], status: int
) -> None:
    cloud.trouble.error(status, "no: reasons\nand more")
    error = await error_of(client, "listHosts")
    assert (error.kind, error.status, error.code, error.said) == (
        ErrorKind.REJECTED,
        status,
        status,
        "no: reasons and more",
    )
    assert pauses == []


async def test_a_parameter_that_cloudstack_refuses(client: CloudStackClient) -> None:
    error = await error_of(client, "updateHost", id="nobody", allocationstate="Disable")
    assert (error.kind, error.status, error.code, error.detail_code) == (ErrorKind.REJECTED, 431, 431, 9999)
    assert str(error).startswith("updateHost: Unable to execute API command updatehost")


async def test_a_wrong_secret_is_tried_once(cloud: CloudStackDouble, make: Make, pauses: list[float]) -> None:
    error = await error_of(make(secret="another-secret"), "listHosts")
    assert (error.kind, error.status, error.code) == (ErrorKind.AUTH, 401, 401)
    assert error.said == "unable to verify user credentials and/or request signature"
    assert cloud.count("listHosts") == 1
    assert pauses == []


@pytest.mark.parametrize(("minutes", "way"), [(-60, "60 minutes ahead of"), (60, "60 minutes behind")])
async def test_a_401_hints_at_clocks_that_differ(cloud: CloudStackDouble, make: Make, minutes: int, way: str) -> None:
    cloud.trouble.unauthorized()
    client = make(now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    error = await error_of(client, "listHosts")
    assert error.said.endswith(f"; its clock is {way} this machine's: requests expire")


async def test_a_request_that_arrives_too_late_is_refused(make: Make) -> None:
    client = make(now=lambda: datetime.now(UTC) - timedelta(minutes=11))
    assert (await error_of(client, "listHosts")).kind is ErrorKind.AUTH


async def test_a_command_outside_the_keys_role(cloud: CloudStackDouble, make: Make) -> None:
    few = cloud.add_key(ApiKey(key="few", secret="rights", rights=frozenset({"listHosts", "listApis"})))
    error = await error_of(make(key=few.key, secret=few.secret), "updateHost", id="x")
    assert error.kind is ErrorKind.REJECTED
    assert error.unavailable


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (432, "The given command does not exist or it is not available for user"),
        (401, "The given command:updateHost does not exist or it is not available for user with id:2"),
        (401, "The API [updateHost] does not exist or is not available for the account Account [x]."),
    ],
)
async def test_a_command_that_this_version_lacks(
    cloud: CloudStackDouble, client: CloudStackClient, status: int, text: str
) -> None:
    cloud.trouble.error(status, text)
    error = await error_of(client, "updateHost", id="x")
    assert error.kind is ErrorKind.REJECTED
    assert error.unavailable


async def test_missing_rights_are_named_from_what_cloudstack_lists(cloud: CloudStackDouble, make: Make) -> None:
    everything = {api["name"] for api in await make().list("listApis")}
    assert missing(everything) == ()
    assert capabilities(everything).degraded
    few = cloud.add_key(ApiKey(key="few", secret="rights", rights=frozenset(everything - {"updateHost"})))
    available = {api["name"] for api in await make(key=few.key, secret=few.secret).list("listApis")}
    assert {need.command for need in missing(available)} == {"updateHost"}


async def test_an_old_cloudstack_lacks_nothing_that_is_needed() -> None:
    with CloudStackDouble(profile="old") as old:
        client = CloudStackClient(old.url, key=old.key, secret=old.secret)
        available = {api["name"] for api in await client.list("listApis")}
        await client.aclose()
    assert [need.command for need in missing(available) if not need.optional] == []
    assert not capabilities(available).degraded


async def test_in_process(pauses: list[float]) -> None:
    double = CloudStackDouble()
    double.site.build(["kvm1"])

    async def no_waiting(seconds: float) -> None:
        pauses.append(seconds)

    client = CloudStackClient(
        double.url, key=double.key, secret=double.secret, transport=double.transport(), sleep=no_waiting
    )
    double.trouble.cut()
    assert len(await client.list("listHosts")) == 1
    double.trouble.cut()
    error = await error_of(client, "updateHost", id="x")
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, True)  # nobody knows: the worse of both
    assert double.count("updateHost") == 1
    await client.aclose()
