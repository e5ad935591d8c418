"""The redfish driver against a scripted service: what real BMCs do and no emulator does."""

import asyncio
import gzip
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.power import Accepted, BmcTarget, Outcome, PowerAction, PowerCode, PowerReading, PowerState
from controller.power.drivers.redfish import RedfishDriver
from tests.fakes.redfish_service import ROOT, SESSIONS, SYSTEMS, RedfishService, Reply, extended
from tests.fixtures.authority import Authority
from tests.fixtures.mail_server import silent_server

SECRET = "s3cret pass"
PROJECT = Path(__file__).parents[2]
PLAIN = (("tls", "plain"),)
SYSTEM = ("GET", f"{SYSTEMS}/1")
RESET = ("POST", f"{SYSTEMS}/1/Actions/ComputerSystem.Reset")
LIGHT = ("PATCH", f"{SYSTEMS}/1")
BUSY = Reply(status=503, body=extended("ServiceTemporarilyUnavailable", "Retry in a while."))


@pytest.fixture
async def service() -> AsyncIterator[RedfishService]:
    async with RedfishService(user="admin", password=SECRET).running(None) as made:
        yield made


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def driver(pauses: list[float]) -> AsyncIterator[RedfishDriver]:
    async def no_waiting(seconds: float) -> None:
        pauses.append(seconds)

    made = RedfishDriver(allow_plain=True, sleep=no_waiting)
    yield made
    await made.aclose()


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def target_at(service: RedfishService, **changes: Any) -> BmcTarget:
    target = BmcTarget(
        driver="redfish",
        address="127.0.0.1",
        port=service.port,
        username="admin",
        password=SECRET,
        plug="1",
        options=PLAIN,
    )
    return replace(target, **changes)


async def read(driver: RedfishDriver, service: RedfishService, **changes: Any) -> PowerReading:
    return await driver.status(target_at(service, **changes), deadline_s=5)


async def act(driver: RedfishDriver, service: RedfishService, action: PowerAction, **changes: Any) -> Outcome:
    return await driver.act(target_at(service, **changes), action, deadline_s=5, not_after=boottime() + 60)


@asynccontextmanager
async def blurting(data: bytes) -> AsyncIterator[int]:
    """A server that says `data` to everybody at once and hangs up."""

    async def blurt(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    server = await asyncio.start_server(blurt, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


class TestStates:
    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ("PoweringOff", PowerCode.BUSY),
            ("PoweringOn", PowerCode.BUSY),
            ("Paused", PowerCode.UNSUPPORTED),
            ("off", PowerCode.UNSUPPORTED),
            (None, PowerCode.MALFORMED),
            (0, PowerCode.MALFORMED),
        ],
    )
    async def test_what_is_not_clearly_on_or_off_is_unknown(
        self, driver: RedfishDriver, service: RedfishService, said: Any, code: PowerCode
    ) -> None:
        service.systems["1"]["PowerState"] = said
        reading = await read(driver, service)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, code)
        assert (str(said) if isinstance(said, str) else "PowerState") in reading.said

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff\xfe", b'{"a":' * 100_000, b"1" * 5000])
    async def test_nonsense_is_malformed(self, driver: RedfishDriver, service: RedfishService, body: bytes) -> None:
        service.forever[SYSTEM] = Reply(body=body)
        reading = await read(driver, service)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.MALFORMED)

    @pytest.mark.parametrize("packed", [False, True])
    async def test_a_huge_body_is_not_read_to_its_end(
        self, driver: RedfishDriver, service: RedfishService, *, packed: bool
    ) -> None:
        huge = b'{"PowerState": "Off", "x": "' + b"x" * (64 << 20) + b'"}'
        headers = {"Content-Encoding": "gzip"} if packed else {}
        service.forever[SYSTEM] = Reply(body=gzip.compress(huge) if packed else huge, headers=headers)
        reading = await read(driver, service)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.MALFORMED)
        assert "larger than 1 MiB" in reading.said

    async def test_a_packed_body_is_read(self, driver: RedfishDriver, service: RedfishService) -> None:
        body = gzip.compress(b'{"PowerState": "Off"}')
        service.forever[SYSTEM] = Reply(body=body, headers={"Content-Encoding": "gzip"})
        assert (await read(driver, service)).state is PowerState.OFF

    async def test_a_slow_trickle_ends_at_the_deadline(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever[SYSTEM] = Reply(body=b'{"Pow', headers={"Content-Length": "100"})
        reading = await driver.status(target_at(service), deadline_s=0.4)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.TIMED_OUT)
        assert reading.took_s < 0.4 + 1


class TestWhichSystem:
    async def test_the_only_one_needs_no_id(self, driver: RedfishDriver, service: RedfishService) -> None:
        assert (await read(driver, service, plug="")).state is PowerState.ON

    async def test_several_need_one(self, driver: RedfishDriver) -> None:
        service = RedfishService(user="admin", password=SECRET, ids=("left", "right"))
        service.systems["right"]["PowerState"] = "Off"
        async with service.running(None):
            assert (await read(driver, service, plug="left")).state is PowerState.ON
            assert (await read(driver, service, plug="right")).state is PowerState.OFF
            unnamed = await read(driver, service, plug="")
            wrong = await read(driver, service, plug="Left")
        assert {unnamed.code, wrong.code} == {PowerCode.NOT_CONFIGURED}
        assert "left, right" in unnamed.said
        assert "no System Left; it has left, right" in wrong.said

    async def test_an_id_that_is_not_in_the_path_is_found(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.systems["1"] |= {"Id": "blade-7", "PowerState": "Off"}
        assert (await read(driver, service, plug="blade-7")).state is PowerState.OFF

    async def test_none_at_all(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever["GET", SYSTEMS] = Reply(body={"Members": "nonsense"})
        assert (await read(driver, service)).code is PowerCode.UNSUPPORTED

    async def test_a_long_list_is_read_page_by_page(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever["GET", SYSTEMS] = Reply(
            body={"Members": [{"@odata.id": f"{SYSTEMS}/0"}], "Members@odata.nextLink": f"{SYSTEMS}?skip=1"}
        )
        service.forever["GET", f"{SYSTEMS}?skip=1"] = Reply(body={"Members": [{"@odata.id": f"{SYSTEMS}/1"}]})
        assert (await read(driver, service)).state is PowerState.ON


class TestOff:
    async def test_is_a_forced_one(self, driver: RedfishDriver, service: RedfishService) -> None:
        assert (await act(driver, service, PowerAction.OFF)).accepted is Accepted.YES
        assert service.changes == [(f"{SYSTEMS}/1", "ForceOff")]

    @pytest.mark.parametrize("elsewhere", [False, True])
    async def test_without_force_nothing_is_sent(
        self, driver: RedfishDriver, service: RedfishService, *, elsewhere: bool
    ) -> None:
        reset = service.systems["1"]["Actions"]["#ComputerSystem.Reset"]
        kinds = ["On", "GracefulShutdown", "PushPowerButton"]
        reset["ResetType@Redfish.AllowableValues"] = kinds
        if elsewhere:
            del reset["ResetType@Redfish.AllowableValues"]
            reset["@Redfish.ActionInfo"] = f"{ROOT}info"
            parameters = [{"Name": "Other"}, {"Name": "ResetType", "AllowableValues": kinds}]
            service.forever["GET", f"{ROOT}info"] = Reply(body={"Parameters": parameters})
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)
        assert "takes no ForceOff; it takes On, GracefulShutdown" in outcome.said
        assert service.count(*RESET) == 0

    async def test_a_device_that_names_no_kinds_is_asked(self, driver: RedfishDriver, service: RedfishService) -> None:
        del service.systems["1"]["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"]
        assert (await act(driver, service, PowerAction.OFF)).accepted is Accepted.YES

    async def test_a_system_without_reset(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.systems["1"]["Actions"] = {}
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)

    @pytest.mark.parametrize("status", [400, 409])
    async def test_refused_because_it_is_off_already_is_fine(
        self, driver: RedfishDriver, service: RedfishService, status: int
    ) -> None:
        service.systems["1"]["PowerState"] = "Off"
        service.forever[RESET] = Reply(status=status, body=extended("InvalidOperation", "Power is off."))
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE)
        assert outcome.said == f"already off (HTTP {status}: Power is off.)"

    @pytest.mark.parametrize("state", ["On", "PoweringOff", None])
    async def test_refused_in_any_other_state_is_no(
        self, driver: RedfishDriver, service: RedfishService, state: str | None
    ) -> None:
        service.systems["1"]["PowerState"] = state
        service.forever[RESET] = Reply(status=409, body=extended("Conflict", f"Not now, {SECRET}! {'x' * 1000}"))
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NO, PowerCode.REFUSED)
        assert "HTTP 409: Not now, ***!" in outcome.said
        assert len(outcome.said) <= 300
        assert service.count(*RESET) == 1

    async def test_refused_and_then_unreadable_is_no(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.script[SYSTEM] = [Reply(does=True, body=service.systems["1"]), Reply(body=b"?")]
        service.forever[RESET] = Reply(status=409)
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NO, PowerCode.REFUSED)

    async def test_a_task_is_accepted(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever[RESET] = Reply(status=202, body={"@odata.id": f"{ROOT}TaskService/Tasks/1"})
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE)

    @pytest.mark.parametrize(
        ("reply", "accepted", "code"),
        [
            (Reply(status=500), Accepted.UNKNOWN, PowerCode.REFUSED),
            (BUSY, Accepted.UNKNOWN, PowerCode.BUSY),
            (Reply(cut=True), Accepted.UNKNOWN, PowerCode.TIMED_OUT),
            (Reply(status=303), Accepted.UNKNOWN, PowerCode.REFUSED),
            (Reply(status=308, headers={"Location": SYSTEMS}), Accepted.NO, PowerCode.REFUSED),
            (Reply(status=501), Accepted.NO, PowerCode.UNSUPPORTED),
            (Reply(status=403), Accepted.NO, PowerCode.BAD_CREDENTIALS),
            (Reply(status=404), Accepted.NO, PowerCode.REFUSED),
            (Reply(status=200, body=b"x" * (2 << 20)), Accepted.YES, PowerCode.MALFORMED),
        ],
    )
    async def test_a_command_is_never_repeated(
        self, driver: RedfishDriver, service: RedfishService, reply: Reply, accepted: Accepted, code: PowerCode
    ) -> None:
        service.forever[RESET] = reply
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (accepted, code)
        assert service.count(*RESET) == 1


class TestTooLate:
    async def test_the_clock_is_read_when_the_command_is_written(self, service: RedfishService) -> None:
        now = [100.0]
        driver = RedfishDriver(allow_plain=True, boottime=lambda: now[0])
        service.script[SYSTEM] = [Reply(does=True, body=service.systems["1"], after_s=0.3)]
        call = asyncio.create_task(driver.act(target_at(service), PowerAction.OFF, deadline_s=5, not_after=101.0))
        while not service.count(*SYSTEM):
            await asyncio.sleep(0.01)
        now[0] = 101.5
        outcome = await call
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.STALLED)
        assert service.count(*RESET) == 0
        assert service.tokens == {}

    async def test_the_body_is_held_back_when_it_gets_late_between_head_and_body(self, service: RedfishService) -> None:
        readings = iter([100.0, 101.5])
        driver = RedfishDriver(allow_plain=True, boottime=lambda: next(readings))
        outcome = await driver.act(target_at(service), PowerAction.OFF, deadline_s=5, not_after=101.0)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.STALLED)
        assert next(readings, None) is None
        assert service.count(*RESET) == 0

    async def test_a_process_stopped_before_its_command_sends_nothing_when_it_wakes_up(
        self, service: RedfishService
    ) -> None:
        service.forever[SYSTEM] = Reply(does=True, body=service.systems["1"], after_s=0.4)
        story = (
            "import asyncio, sys, time\n"
            "from controller.domain.power import BmcTarget, PowerAction\n"
            "from controller.power.drivers.redfish import RedfishDriver\n"
            "target = BmcTarget(driver='redfish', address='127.0.0.1', port=int(sys.argv[1]), username='admin',\n"
            "                   password=sys.stdin.readline().strip(), options=(('tls', 'plain'),))\n"
            "late = time.clock_gettime(time.CLOCK_BOOTTIME) + 1.0\n"
            "outcome = asyncio.run(RedfishDriver(allow_plain=True).act(\n"
            "    target, PowerAction.OFF, deadline_s=10, not_after=late))\n"
            "print(outcome.accepted, outcome.code)\n"
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", story, str(service.port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=PROJECT,
        )
        assert process.stdin is not None
        process.stdin.write(f"{SECRET}\n".encode())
        async with asyncio.timeout(20):
            while not service.count(*SYSTEM):
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.2)
            process.send_signal(signal.SIGCONT)
            output, _ = await process.communicate()
        assert output.decode().split() == ["not_sent", "stalled"]
        assert service.count(*RESET) == 0


class TestTrying:
    async def test_a_busy_service_is_read_again_with_growing_pauses(
        self, driver: RedfishDriver, service: RedfishService, pauses: list[float]
    ) -> None:
        service.script[SYSTEM] = [BUSY, Reply(status=500), Reply(cut=True)]
        assert (await read(driver, service)).state is PowerState.ON
        assert pauses == [0.25, 0.5, 1.0]

    async def test_a_service_that_stays_busy(
        self, driver: RedfishDriver, service: RedfishService, pauses: list[float]
    ) -> None:
        service.forever[SYSTEM] = BUSY
        reading = await read(driver, service)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BUSY)
        assert reading.said == "HTTP 503: Retry in a while."
        assert pauses == [0.25, 0.5, 1.0, 2.0]
        outcome = await act(driver, service, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.BUSY)

    async def test_the_deadline_ends_the_pauses_and_the_trouble_is_told(self, service: RedfishService) -> None:
        service.forever[SYSTEM] = BUSY
        reading = await RedfishDriver(allow_plain=True).status(target_at(service), deadline_s=0.5)
        assert (reading.code, reading.took_s < 1.5) == (PowerCode.BUSY, True)

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_login_is_never_repeated(
        self, driver: RedfishDriver, service: RedfishService, pauses: list[float], status: int
    ) -> None:
        service.forever["POST", SESSIONS] = Reply(status=status, body=extended("NoValidSession", f"{SECRET}?"))
        reading = await read(driver, service)
        assert (reading.code, reading.said) == (PowerCode.BAD_CREDENTIALS, f"HTTP {status}: ***?")
        assert service.count("POST", SESSIONS) == 1
        assert pauses == []

    @pytest.mark.parametrize("sessions", [True, False])
    async def test_a_login_that_is_cut_off_may_be_a_refusal_and_is_not_repeated(
        self, driver: RedfishDriver, pauses: list[float], *, sessions: bool
    ) -> None:
        service = RedfishService(user="admin", password=SECRET, sessions=sessions)
        service.forever["POST", SESSIONS] = service.forever["GET", SYSTEMS] = Reply(cut=True)
        async with service.running(None):
            assert (await read(driver, service)).code is PowerCode.TIMED_OUT
        assert service.count("POST", SESSIONS) + service.count("GET", SYSTEMS) == 1
        assert pauses == []

    async def test_a_busy_login_is_repeated(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.script["POST", SESSIONS] = [BUSY]
        assert (await read(driver, service)).state is PowerState.ON

    async def test_no_session_left(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever["POST", SESSIONS] = Reply(status=503, body=extended("SessionLimitExceeded", "Too many."))
        assert (await read(driver, service)).code is PowerCode.SESSIONS_EXHAUSTED
        assert service.count("POST", SESSIONS) == 1


class TestSessions:
    async def test_each_operation_opens_one_and_ends_it(self, driver: RedfishDriver, service: RedfishService) -> None:
        await read(driver, service)
        await act(driver, service, PowerAction.OFF)
        await read(driver, service, plug="nobody")
        assert service.count("POST", SESSIONS) == 3
        assert service.tokens == {}

    async def test_one_that_is_named_in_the_body_only_is_ended_too(
        self, driver: RedfishDriver, service: RedfishService
    ) -> None:
        path = f"{SESSIONS}/7"
        service.tokens[path] = "t-7"
        service.forever["POST", SESSIONS] = Reply(body={"@odata.id": path}, headers={"X-Auth-Token": "t-7"})
        assert (await read(driver, service)).state is PowerState.ON
        assert service.tokens == {}

    async def test_it_is_ended_after_a_deadline_and_a_deaf_service_is_not_waited_for(
        self, driver: RedfishDriver, service: RedfishService
    ) -> None:
        service.forever[SYSTEM] = Reply(never=True)
        reading = await driver.status(target_at(service), deadline_s=0.3)
        assert (reading.code, service.tokens) == (PowerCode.TIMED_OUT, {})
        path = f"{SESSIONS}/8"
        service.forever["POST", SESSIONS] = Reply(headers={"X-Auth-Token": "t-8", "Location": path})
        service.tokens[path] = "t-8"
        service.forever["DELETE", path] = Reply(never=True)
        began = time.monotonic()
        await driver.status(target_at(service), deadline_s=0.3)
        assert time.monotonic() - began < 0.3 + 1

    async def test_a_service_that_announces_sessions_and_has_none_gets_basic(
        self, driver: RedfishDriver, service: RedfishService
    ) -> None:
        service.forever["POST", SESSIONS] = Reply(status=404)
        assert (await read(driver, service)).state is PowerState.ON
        assert service.asked[-1].headers["authorization"].startswith("Basic ")

    async def test_a_cancelled_call_passes_the_cancellation_on_and_logs_out(
        self, driver: RedfishDriver, service: RedfishService
    ) -> None:
        service.forever[SYSTEM] = Reply(never=True)
        call = asyncio.create_task(read(driver, service))
        while not service.count(*SYSTEM):
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert service.tokens == {}

    async def test_closing_the_driver_cuts_short_what_is_running(
        self, driver: RedfishDriver, service: RedfishService
    ) -> None:
        service.forever[SYSTEM] = Reply(never=True)
        call = asyncio.create_task(driver.status(target_at(service), deadline_s=60))
        while not service.count(*SYSTEM):
            await asyncio.sleep(0.01)
        await driver.aclose()
        assert service.tokens == {}
        assert (await call).code is PowerCode.TIMED_OUT
        with pytest.raises(RuntimeError, match="closed"):
            await read(driver, service)


class TestRedirects:
    async def test_within_the_service_are_followed(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever["GET", ROOT] = Reply(status=308, headers={"Location": "/redfish/v1"})
        body = {"Systems": {"@odata.id": SYSTEMS}, "Links": {"Sessions": {"@odata.id": SESSIONS}}}
        service.forever["GET", "/redfish/v1"] = Reply(body=body)
        assert (await read(driver, service)).state is PowerState.ON

    async def test_without_end(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.forever[SYSTEM] = Reply(status=307, headers={"Location": SYSTEM[1]})
        assert (await read(driver, service)).code is PowerCode.MALFORMED
        assert service.count(*SYSTEM) == 4

    @pytest.mark.parametrize("scheme", ["http:", "https:", ""])
    async def test_to_others_are_not_followed(
        self, driver: RedfishDriver, service: RedfishService, scheme: str
    ) -> None:
        other = RedfishService(user="admin", password=SECRET)
        async with other.running(None):
            location = f"{scheme}//127.0.0.1:{other.port}{SYSTEM[1]}"
            service.forever[SYSTEM] = Reply(status=307, headers={"Location": location})
            reading = await read(driver, service)
        assert reading.code is PowerCode.MALFORMED
        assert "not followed" in reading.said
        assert other.asked == []

    async def test_links_to_others_stay_here(self, driver: RedfishDriver, service: RedfishService) -> None:
        other = RedfishService(user="admin", password=SECRET)
        async with other.running(None):
            link = f"http://127.0.0.1:{other.port}{SYSTEM[1]}"
            service.forever["GET", SYSTEMS] = Reply(body={"Members": [{"@odata.id": link}]})
            assert (await read(driver, service)).state is PowerState.ON
        assert other.asked == []


class TestLight:
    @pytest.mark.parametrize(
        ("shown", "blink", "dark"),
        [
            (
                {"LocationIndicatorActive": False, "IndicatorLED": "Off"},
                {"LocationIndicatorActive": True},
                {"LocationIndicatorActive": False},
            ),
            ({"IndicatorLED": "Off"}, {"IndicatorLED": "Blinking"}, {"IndicatorLED": "Off"}),
            (
                {"IndicatorLED": "Off", "IndicatorLED@Redfish.AllowableValues": ["Lit", "Off"]},
                {"IndicatorLED": "Lit"},
                {"IndicatorLED": "Off"},
            ),
        ],
    )
    async def test_is_switched_the_way_the_system_knows(
        self, driver: RedfishDriver, service: RedfishService, shown: Any, blink: Any, dark: Any
    ) -> None:
        del service.systems["1"]["IndicatorLED"]
        service.systems["1"] |= shown
        for action in (PowerAction.BLINK, PowerAction.BLINK_OFF):
            assert (await act(driver, service, action)).accepted is Accepted.YES
        assert [change for _, change in service.changes] == [blink, dark]

    async def test_a_system_without_one(self, driver: RedfishDriver, service: RedfishService) -> None:
        del service.systems["1"]["IndicatorLED"]
        outcome = await act(driver, service, PowerAction.BLINK)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)

    async def test_the_tag_is_sent(self, driver: RedfishDriver, service: RedfishService) -> None:
        service.etag = 'W/"1"'
        assert (await act(driver, service, PowerAction.BLINK)).accepted is Accepted.YES
        assert service.count(*LIGHT) == 1

    @pytest.mark.parametrize("status", [412, 428])
    async def test_a_refused_tag_is_tried_once_more(
        self, driver: RedfishDriver, service: RedfishService, status: int
    ) -> None:
        service.etag = '"1"'
        service.script[LIGHT] = [Reply(status=status)]
        assert (await act(driver, service, PowerAction.BLINK)).accepted is Accepted.YES
        service.forever[LIGHT] = Reply(status=status)
        outcome = await act(driver, service, PowerAction.BLINK)
        assert (outcome.accepted, outcome.code) == (Accepted.NO, PowerCode.REFUSED)
        assert [asked.headers["if-match"] for asked in service.asked if asked.method == "PATCH"] == ['"1"', "*"] * 2


class TestOutOfReach:
    async def test_no_listener(self, driver: RedfishDriver, service: RedfishService) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            reading = await read(driver, service, port=probe.getsockname()[1])
        assert (reading.code, reading.took_s < 1.5) == (PowerCode.NOT_LISTENING, True)

    @pytest.mark.parametrize("address", ["bmc.invalid", "no such name"])
    async def test_a_name_that_does_not_resolve(
        self, driver: RedfishDriver, service: RedfishService, address: str
    ) -> None:
        reading = await read(driver, service, address=address)
        assert reading.code in (PowerCode.NO_ANSWER, PowerCode.NOT_CONFIGURED, PowerCode.DRIVER_FAILED)

    async def test_a_silent_device_leaves_no_socket_behind(self, driver: RedfishDriver) -> None:
        """A handshake that is cut short: httpcore alone would leave its socket to the garbage collector."""
        async with silent_server() as port:
            target = BmcTarget(driver="redfish", address="127.0.0.1", port=port, username="a", password="b")
            for _ in range(3):
                assert (await driver.status(target, deadline_s=0.1)).code is PowerCode.NO_ANSWER
            await asyncio.sleep(0.05)
            assert _connected(port) == 0

    async def test_a_service_without_tls(self, driver: RedfishDriver) -> None:
        async with blurting(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
            target = BmcTarget(driver="redfish", address="127.0.0.1", port=port, username="a", password="b")
            reading = await driver.status(target, deadline_s=3)
        assert reading.code is PowerCode.DRIVER_FAILED
        assert "no TLS connection" in reading.said

    @pytest.mark.parametrize("data", [b"\x00" * 200, b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 two\r\n\r\n", b""])
    async def test_something_that_speaks_no_http(self, driver: RedfishDriver, data: bytes) -> None:
        async with blurting(data) as port:
            target = BmcTarget(
                driver="redfish", address="127.0.0.1", port=port, username="a", password="b", options=PLAIN
            )
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=3, not_after=boottime() + 60)
        assert outcome.accepted is Accepted.NOT_SENT
        assert outcome.code is PowerCode.NO_ANSWER

    @pytest.mark.parametrize(
        "impossible",
        [
            {"address": ""},
            {"options": (("tls", "perhaps"),)},
            {"options": (("tls_ca", "no certificate"),)},
            {"options": (("tls_ca", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"),)},
        ],
    )
    async def test_what_cannot_work_is_not_tried(
        self, driver: RedfishDriver, service: RedfishService, impossible: dict[str, Any]
    ) -> None:
        assert (await read(driver, service, **impossible)).code is PowerCode.NOT_CONFIGURED
        outcome = await act(driver, service, PowerAction.OFF, **impossible)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert service.asked == []

    async def test_plain_http_is_for_labs(self, service: RedfishService) -> None:
        reading = await read(RedfishDriver(), service)
        assert reading.code is PowerCode.NOT_CONFIGURED
        assert service.asked == []

    async def test_a_certificate_for_another_name(self, driver: RedfishDriver, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        service = RedfishService(user="admin", password=SECRET)
        async with service.running(authority.server_context("127.0.0.9")):
            reading = await read(driver, service, options=(("tls_ca", authority.pem),))
        assert reading.code is PowerCode.DRIVER_FAILED
        assert "ipmi.host" in reading.said
        assert service.asked == []

    async def test_the_devices_own_certificate_may_be_trusted(self, driver: RedfishDriver, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        service = RedfishService(user="admin", password=SECRET)
        context = authority.server_context()
        own = (tmp_path / "server.pem").read_text()
        async with service.running(context):
            assert (await read(driver, service, options=(("tls_ca", own),))).state is PowerState.ON


@pytest.mark.parametrize("sessions", [True, False])
async def test_twenty_runs_show_no_secret_anywhere(
    sessions: bool,  # noqa: FBT001 - parametrised
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the logs even where everybody logs at DEBUG, not in a value, a text or a command line."""
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    service = RedfishService(user="admin", password=SECRET, sessions=sessions)
    service.forever["GET", f"{SYSTEMS}/2"] = Reply(status=500, body=extended("X", f"your password is {SECRET}"))
    shown, tokens = [], []
    async with service.running(None):
        driver = RedfishDriver(allow_plain=True)
        for number in range(20):
            outcome = await act(driver, service, PowerAction.OFF if number % 2 else PowerAction.BLINK)
            reading = await read(driver, service, password=SECRET if number % 3 else "wr0ng one")
            shown += [repr((outcome, reading, driver, vars(driver))), Path("/proc/self/cmdline").read_text()]
        tokens = [one.headers.get("x-auth-token", one.headers.get("authorization", "")) for one in service.asked]
    secrets = {token.removeprefix("Basic ") for token in tokens} - {""} | {SECRET, "wr0ng one"}
    assert len(secrets) >= 3
    text = "\n".join([*shown, caplog.text])
    assert [secret for secret in secrets if secret in text] == []
    logging.getLogger("httpx").info("outside of a session others may log")
    assert "others may log" in caplog.text


async def test_many_silent_devices_do_not_delay_the_healthy_one(driver: RedfishDriver, service: RedfishService) -> None:
    async with silent_server() as port:
        silent = target_at(service, port=port)
        dead = [asyncio.create_task(driver.status(silent, deadline_s=3)) for _ in range(100)]
        await asyncio.sleep(0.2)
        reading = await read(driver, service)
        assert (reading.state, reading.took_s < 1.5) == (PowerState.ON, True)
        lost = await asyncio.gather(*dead)
    assert {one.code for one in lost} == {PowerCode.NO_ANSWER}
    assert max(one.took_s for one in lost) < 3 + 1


def _connected(port: int) -> int:
    """How many sockets of this machine are connected to a port of it."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum((line[2], line[3]) == (f"0100007F:{port:04X}", "01") for line in lines)
