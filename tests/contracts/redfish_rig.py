"""The redfish driver on a scripted service over TLS, for the contract of power drivers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controller.domain.power import BmcTarget, PowerAction
from controller.power.drivers.redfish import RedfishDriver
from tests.contracts.rig import SECRET, Rig
from tests.fakes.redfish_service import RedfishService, Reply, extended
from tests.fixtures.authority import Authority
from tests.fixtures.mail_server import silent_server

_KINDS = {"ForceOff": PowerAction.OFF, "On": PowerAction.ON, "ForceRestart": PowerAction.REBOOT}
_LIGHTS = {"Blinking": PowerAction.BLINK, "Off": PowerAction.BLINK_OFF}


@asynccontextmanager
async def redfish_on_service(folder: Path) -> AsyncIterator[Rig]:
    authority = Authority(folder)
    service = RedfishService(user="admin", password=SECRET)
    driver = RedfishDriver()
    async with service.running(authority.server_context()), silent_server() as silent:
        target = BmcTarget(
            driver="redfish",
            address="127.0.0.1",
            port=service.port,
            username="admin",
            password=SECRET,
            plug="1",
            options=(("tls", "verify"), ("tls_ca", authority.pem)),
        )
        yield Rig(
            driver=driver,
            target=target,
            silent=replace(target, port=silent),
            is_on=lambda: service.truth["1"],
            commands=lambda: [_action(change) for _, change in service.changes],
            now=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
            misbehave=lambda how: _misbehave(service, how),
        )
        await driver.aclose()


def _misbehave(service: RedfishService, how: str) -> None:
    if how == "busy":  # on its way to another state, so that it takes nothing
        service.systems["1"]["PowerState"] = "PoweringOn"
    service.forever[service.reset()] = {
        "reject": Reply(status=400, body=extended("ActionNotSupported", "Not now.")),
        "ignore": Reply(status=204),
        "lose_answers": Reply(never=True, does=True),
        "busy": Reply(status=409, body=extended("ResourceInUse", "The resource is in transition.")),
    }[how]


def _action(change: dict[str, str] | str) -> PowerAction:
    return _KINDS[change] if isinstance(change, str) else _LIGHTS[change["IndicatorLED"]]
