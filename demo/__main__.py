"""``python -m demo``: a host dies and is fenced, on this machine alone. ``--once`` (or ONCE=1) ends after the story."""

import argparse
import os
import signal
import sys
import time
from types import FrameType

from demo import setup, verdict
from demo.api import Api
from demo.processes import DemoError
from demo.story import Story
from demo.tell import Teller
from demo.world import World, made_world

MISSED, STOPPED = 1, 130
LOOK_EVERY_S = 0.5


class StoppedError(Exception):
    """Ctrl-C or SIGTERM."""


def main() -> int:
    """Run; the exit status says whether everything happened."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--once", action="store_true", default=os.environ.get("ONCE", "") not in ("", "0"))
    once = parser.parse_args().once
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    tell = Teller()
    try:
        with made_world(tell) as world:
            try:
                return _run(world, tell, once=once)
            finally:
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind
                tell.plain("\nending every process, removing every file ...")
    except StoppedError:
        tell.plain("stopped")
        return STOPPED


def _run(world: World, tell: Teller, *, once: bool) -> int:
    told = False
    try:
        told = _tell_story(world, tell)
    except DemoError as error:
        tell.plain("")
        tell.say(f"THIS DID NOT WORK: {error}", style="red")
    if not told:
        for name, text in world.logs():
            tell.plain(f"\n--- the end of the log of {name}")
            tell.plain(text)
        return MISSED
    if not once:
        _stay(world, tell)
    return 0


def _tell_story(world: World, tell: Teller) -> bool:
    tell.title("hostfence demo: CloudStack, three KVM hosts, shared storage, three BMCs that speak IPMI 2.0")
    world.power_up()
    for machine in world.machines.values():
        guests = ", ".join(f"{guest.name} ({'busy' if guest.busy else 'idle'})" for guest in machine.guests)
        tell.say(f"{machine.name} runs at {machine.address}, BMC at UDP port {machine.bmc_port}; VMs: {guests}")
    world.start_cloud()
    tell.say(f"a CloudStack that knows them (the tests' double of one) answers at {world.cloud.url}")
    tell.say("starting the controller with its own PostgreSQL, pointed at CloudStack, and a mail catcher")
    world.start_servers()
    tell.say(f"the controller listens on {world.url}")
    api = Api(world.url, world.token)
    try:
        setup.set_up(world, api, tell)
        seen = Story(world, api, tell).run()
        good = verdict.show(verdict.facts(world, api, seen), tell)
        if good:
            verdict.times(world, seen, tell)
        return good
    finally:
        api.close()


def _stay(world: World, tell: Teller) -> None:
    """Until Ctrl-C, or another signal."""
    tell.title("Everything keeps running for a look")
    tell.plain(f"  API documentation   {world.url}/docs")
    tell.plain(f"  admin token         {world.token}")
    tell.plain(f"  web pages           {world.url}/ui/   (sign in with the token)")
    tell.plain(f"  try                 curl -sH 'Authorization: Bearer {world.token}' {world.url}/api/v1/incidents")
    tell.plain(f"  CloudStack's view   curl -sX POST {world.cloud.control_url}/view")
    tell.plain("  Ctrl-C ends it")
    try:
        while True:
            world.follow_cloud()
            time.sleep(LOOK_EVERY_S)
    except StoppedError:
        return


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise StoppedError


if __name__ == "__main__":
    sys.exit(main())
