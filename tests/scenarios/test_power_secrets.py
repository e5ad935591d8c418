"""Devices that repeat the password they were given: it stands in nothing that hostfence keeps, tells or answers.

A real controller's API over a story: the host dies, its device fails with the password in its words, a person tries it;
then everything that can be read is read, by an admin.
"""

import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import structlog
from structlog.typing import EventDict

from controller.app import Deps, create_app
from controller.domain.incident import State
from controller.domain.model import Role
from controller.logs import hide_secrets
from controller.power.drivers.exec import ExecDriver
from controller.services.access import create_token
from controller.services.device_rules import DeviceRules
from controller.services.explaining import Explainer
from tests.contracts.exec_rigs import write_program
from tests.fakes.redfish_service import SESSIONS, Reply, extended
from tests.fixtures import real_devices as real
from tests.fixtures.house import House
from tests.fixtures.real_devices import SECRET, USER, Device, Fault
from tests.fixtures.real_power import Story, no_password_shows, told

MakeDevice = Callable[[Path], AbstractAsyncContextManager[Device]]

FORMS = (SECRET, quote(SECRET, safe=""), json.dumps(SECRET)[1:-1])


class Chatterbox:
    """A power tool that says all it knows, and fails at everything but the state."""

    def __init__(self, folder: Path) -> None:
        self.program = write_program(
            folder / "chatterbox",
            '#!/bin/sh\n[ "$1" = status ] && exit 0\n'
            'echo "login $IPMI_USERNAME with $IPMI_PASSWORD failed"; echo "env: $(env)" >&2; exit 9\n',
        )
        self.settings = {
            "driver": "exec",
            "host": "127.0.0.1",
            "port": 623,
            "preset": "script",
            "exec": "chatterbox",
            "username": USER,
            "password": SECRET,
        }

    def reads(self) -> int:
        """It keeps no account."""
        return 0


@contextlib.asynccontextmanager
async def asked_over_http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """The product's whole REST interface on this house, for an admin."""
    app = create_app(
        Deps(
            store=house.store,
            clock=house.clock,
            operations=house.operator,
            device_rules=DeviceRules(drivers=frozenset({"ipmi", "exec", "redfish"}), allow_local=True),
            explainer=Explainer(house.world),
            version="1.2.3",
            sights=house.world.sights,
        )
    )
    _, token = await create_token(house.store, house.clock, name="ada", role=Role.ADMIN, actor="test")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://hostfence.test", headers=headers) as client:
        yield client


async def everything(client: httpx.AsyncClient, house: House) -> dict[str, str]:
    """Every GET that the interface describes, with the names of this house, and what it answered."""
    incident = await house.incident()
    notices = await house.notices()
    names = {"host": "h1", "cluster": "c1", "incident_id": incident.id, "pool": "p1"}
    names["notification_id"] = notices[0].id if notices else "none"
    described = (await client.get("/api/v1/openapi.json")).json()
    answers = {}
    for path, methods in described["paths"].items():
        if "get" in methods:
            answer = await client.get(re.sub(r"{(\w+)}", lambda one: names.get(one[1], "x"), path))
            answers[path] = f"{answer.status_code} {answer.text}"
    return answers


async def a_person_tries_it(client: httpx.AsyncClient) -> list[str]:
    tries = [("/power/test", None), ("/power/blink", {"on": True}), ("/power/off", {"reason": "fire", "force": True})]
    return [(await client.post(f"/api/v1/hosts/h1{path}", json=body)).text for path, body in tries]


def without_secrets(shown: str) -> None:
    assert [form for form in FORMS if form in shown] == []


async def fails_and_is_held(story: Story) -> None:
    await story.house.dead()
    for _ in range(300):
        await story.house.run(1)
        if (await story.house.incident()).state is State.HELD:
            return
    raise AssertionError(await story.house.path())


async def test_a_program_that_repeats_it(
    tmp_path: Path, logged: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    device = Chatterbox(tmp_path)
    async with told(device, programs=[device.program]) as story, asked_over_http(story.house) as client:  # type: ignore[arg-type]
        await fails_and_is_held(story)
        said = await a_person_tries_it(client)
        assert "login fencer with *** failed" in "".join(said), "else nobody repeated anything"
        answers = await everything(client, story.house)
        assert sum(answer.startswith("200") for answer in answers.values()) > 15
        assert "***" in answers["/api/v1/incidents/{incident_id}/attempts"]
        without_secrets("".join((*said, *answers.values())))
        await no_password_shows(story.house, logged, caplog)


async def test_a_redfish_service_that_repeats_it(
    tmp_path: Path, logged: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with real.redfish(tmp_path) as device, told(device) as story, asked_over_http(story.house) as client:
        words = f"no: {SECRET} for {USER}"
        device.does(Fault.NONE)
        service = device._service
        service.forever[service.reset()] = Reply(status=400, body=extended("NotNow", words))
        await fails_and_is_held(story)
        said = await a_person_tries_it(client)
        service.forever["POST", SESSIONS] = Reply(status=500, body=extended("Oops", words))
        said += await a_person_tries_it(client)
        assert "no: ***" in "".join(said), "else nobody repeated anything"
        answers = await everything(client, story.house)
        without_secrets("".join((*said, *answers.values())))
        await no_password_shows(story.house, logged, caplog)


async def test_a_driver_that_breaks_leaves_it_in_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours, in the worst place: the traceback is logged, and no value of a frame with it."""
    lines = structlog.testing.LogCapture()
    structlog.configure(processors=[structlog.processors.format_exc_info, hide_secrets, lines])
    device = Chatterbox(tmp_path)
    async with told(device, programs=[device.program]) as story, asked_over_http(story.house) as client:  # type: ignore[arg-type]

        async def broken(_: object, target: object, *__: object, **___: object) -> None:
            raise KeyError(target)

        monkeypatch.setattr(ExecDriver, "_prepare", broken)
        await story.house.dead()
        await story.house.run(60)
        answer = await client.get("/api/v1/hosts/h1/power")
        assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
        shown = "".join(str(line) for line in lines.entries)
        assert shown.count("Traceback") > 1
        assert "KeyError: BmcTarget(driver=" in shown
        without_secrets(answer.text + shown + "".join((await everything(client, story.house)).values()))
