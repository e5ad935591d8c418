"""A Redfish service that talks nonsense anywhere: the driver never raises, sends one command at most, in time."""

import copy
import random
import time
from typing import Any

import pytest

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerState
from controller.power.drivers.redfish import RedfishDriver
from tests.fakes.redfish_service import ROOT, SESSIONS, SYSTEMS, RedfishService, Reply, extended

RUNS_PER_SEED = 25
INFO = f"{ROOT}info"
COMMANDS = (PowerAction.OFF, PowerAction.ON, PowerAction.REBOOT, PowerAction.BLINK)
STATUSES = (200, 200, 200, 200, 201, 202, 204, 304, 307, 400, 401, 404, 409, 412, 428, 500, 503, 599)
JUNK: tuple[Any, ...] = (
    *(None, 0, True, 1e308, "", "x", "é\n", [], {}, [[]], [None], ["On"], "//x", SYSTEMS),
    *({"@odata.id": 3}, {"@odata.id": "http://["}, {"@odata.id": "\x00"}, {"@odata.id": "x" * 5000}),
    *({"target": "http://[::"}, {"target": "\x00"}, {"target": {}}, {"Members": {}}),
)
HEADERS = (
    *({"ETag": "\x01"}, {"ETag": "é"}, {"X-Auth-Token": "a b"}, {"Location": "http://["}, {"Location": "//q/w"}),
    *({"Set-Cookie": "a=b; expires=zzz; domain=.x"}, {"Content-Encoding": "br"}, {"Content-Encoding": "gzip"}),
    *({"Transfer-Encoding": "chunked"}, {"Content-Type": "text/html; charset=bogus"}, {"Content-Length": "-1"}),
    *({"Content-Length": "9999999999999999999"}, {"X-Auth-Token": "t", "Location": "é"}, {"X-Auth-Token": "t"}),
)


@pytest.mark.parametrize("seed", range(4))
async def test_nonsense_anywhere(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    driver = RedfishDriver(allow_plain=True, sleep=_no_waiting)
    for _ in range(RUNS_PER_SEED):
        service = RedfishService(user="admin", password="s3cret", sessions=chance.random() < 0.7)
        _spoil(service, chance)
        async with service.running(None):
            target = BmcTarget(
                driver="redfish",
                address="127.0.0.1",
                port=service.port,
                username="admin",
                password="s3cret",
                plug=chance.choice(("1", "", "2")),
                options=(("tls", "plain"),),
            )
            await _one(driver, service, target, chance.choice((None, *COMMANDS)))


async def _one(driver: RedfishDriver, service: RedfishService, target: BmcTarget, action: PowerAction | None) -> None:
    began = time.monotonic()
    if action is None:
        reading = await driver.status(target, deadline_s=0.5)
        assert (reading.state is PowerState.UNKNOWN) == bool(reading.code != "none")
    else:
        late = time.clock_gettime(time.CLOCK_BOOTTIME) + 60
        outcome = await driver.act(target, action, deadline_s=0.5, not_after=late)
        if outcome.accepted is Accepted.NOT_SENT:
            assert service.changes == []
    assert time.monotonic() - began < 0.5 + 1
    sent = [one.method for one in service.asked if one.method in ("POST", "PATCH") and one.path != SESSIONS]
    assert sent.count("POST") <= 1
    assert sent.count("PATCH") <= 2  # the light, once more after a refused tag


def _spoil(service: RedfishService, chance: random.Random) -> None:
    if chance.random() < 0.3:
        reset = service.systems["1"]["Actions"]["#ComputerSystem.Reset"]
        del reset["ResetType@Redfish.AllowableValues"]
        reset["@Redfish.ActionInfo"] = INFO
    sessions = {"Links": {"Sessions": {"@odata.id": SESSIONS}}} if service.has_sessions else {}
    bodies = {
        ("GET", ROOT): {"Systems": {"@odata.id": SYSTEMS}, **sessions},
        ("GET", SYSTEMS): {"Members": [{"@odata.id": service.path()}]},
        ("GET", service.path()): service.systems["1"],
        ("GET", INFO): {"Parameters": [{"Name": "ResetType", "AllowableValues": ["ForceOff"]}]},
        ("POST", SESSIONS): {"@odata.id": f"{SESSIONS}/1"},
        ("PATCH", service.path()): extended("X", "y"),
        service.reset(): extended("X", "y"),
    }
    for key, body in bodies.items():
        if chance.random() < 0.35:
            headers = chance.choice(HEADERS) if chance.random() < 0.3 else {}
            service.forever[key] = Reply(status=chance.choice(STATUSES), body=_bent(body, chance), headers=headers)


def _bent(value: Any, chance: random.Random) -> Any:
    """A copy with some of its parts replaced or left out."""
    if chance.random() < 0.15:
        return copy.deepcopy(chance.choice(JUNK))
    if isinstance(value, dict):
        return {name: _bent(one, chance) for name, one in value.items() if chance.random() > 0.05}
    return [_bent(one, chance) for one in value] if isinstance(value, list) else value


async def _no_waiting(seconds: float) -> None:
    del seconds
