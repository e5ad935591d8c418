"""A rig on the demo's BMC, for whichever driver reaches it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controller.domain.power import BmcTarget, PowerAction
from controller.power.base import PowerDriver
from demo.bmc import DemoBmc
from tests.contracts.rig import SECRET, Rig, boottime, silent_port

_WORDS = {
    "off": PowerAction.OFF,
    "on": PowerAction.ON,
    "reset": PowerAction.REBOOT,
    "identify": PowerAction.BLINK,
    "identify_off": PowerAction.BLINK_OFF,
}
_SWITCHES = {"reject": "rejects_off", "ignore": "ignores_off", "lose_answers": "swallows_answers", "busy": "busy"}


@asynccontextmanager
async def on_demo_bmc(folder: Path, driver: PowerDriver, target_at: Callable[[int], BmcTarget]) -> AsyncIterator[Rig]:
    """``target_at``: how the driver is told of a BMC at that port."""
    bmc = await DemoBmc(user="admin", password=SECRET, log=folder / "log").start()
    target = target_at(bmc.port)
    with silent_port() as port:
        yield Rig(
            driver=driver,
            target=target,
            silent=replace(target, port=port),
            is_on=lambda: bmc.power == "on",
            commands=lambda: [_WORDS[word] for word in bmc.commands()],
            now=boottime,
            misbehave=lambda how: setattr(bmc.behaviour, _SWITCHES[how], True),
        )
    await driver.aclose()
    bmc.close()
