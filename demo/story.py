"""The story: a host that only lost its agent, a host that is merely idle, a host that died.

The script starts, kills and black-holes things and reads the REST interface. All detection and every decision is
hostfence's own.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from demo.api import Api
from demo.follow import Follower, Post
from demo.mail import read_mails
from demo.processes import DemoError, wait_for
from demo.setup import TIMES
from demo.tell import Teller
from demo.world import World

DYING, IDLE, REFUGE = "kvm-a", "kvm-b", "kvm-c"
NOTICED_WITHIN_S = 30.0
HELD_WITHIN_S = 60.0
BACK_WITHIN_S = 20.0
FENCED_WITHIN_S = 130.0
TOLD_WITHIN_S = 10.0
STORY_WITHIN_S = 175.0
"""All of it, after the set-up."""

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the story left behind, for the checks and the table."""

    held: dict[str, Any] = field(default_factory=dict)
    recovered: dict[str, Any] = field(default_factory=dict)
    fenced: dict[str, Any] = field(default_factory=dict)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)
    died_at: float = 0.0
    """Monotonic, as the BMCs' logs are."""
    living_before: int = 0
    idle_disk_at: dict[str, int] = field(default_factory=dict)
    started_elsewhere: bool = False


class Story:
    """Tell it once, with :meth:`run`."""

    def __init__(self, world: World, api: Api, tell: Teller) -> None:
        self._world, self._api, self._tell = world, api, tell
        self._post = Post(world, tell)
        self._end_by = time.monotonic() + STORY_WITHIN_S
        self.seen = Seen()

    def run(self) -> Seen:
        """All three parts; returns what happened. Raises :class:`MissedError` for what did not."""
        self._an_idle_host()
        self._only_the_agent_dies()
        self._the_host_dies()
        self._life_goes_on_elsewhere()
        return self.seen

    def _an_idle_host(self) -> None:
        machine = self._world.machines[IDLE]
        self.seen.idle_disk_at = {guest.name: guest.disk.stat().st_mtime_ns for guest in machine.guests}
        self._tell.title(f"1. {IDLE} is idle: its VM writes nothing, from here to the end")
        self._tell.say("quiet disks alone are no sign of death: its heartbeat moves, so nothing must happen to it")

    def _only_the_agent_dies(self) -> None:
        machine = self._world.machines[DYING]
        self._tell.title(f"2. On {DYING} only the management agent dies; heartbeat and VMs go on")
        machine.kill("serve")
        self._tell.say(f"killed: the agent's HTTP service on {DYING}", style="red")
        follower = self._next_incident(DYING)
        self.seen.held = follower.until(
            "a hold", lambda one: one["state"] == "held", within_s=self._at_most(HELD_WITHIN_S)
        )
        self._mail("held")
        machine.start_agent()
        self._tell.say(f"started again: the agent's HTTP service on {DYING}", style="green")
        self.seen.recovered = follower.until(
            "its end", lambda one: not one["open"], within_s=self._at_most(BACK_WITHIN_S)
        )
        self._mail("back")
        self._wait_for(
            f"{DYING} to count as healthy again",
            lambda: self._api.get(f"/hosts/{DYING}")["health"]["armed"],
            BACK_WITHIN_S,
        )

    def _the_host_dies(self) -> None:
        machine = self._world.machines[DYING]
        self._tell.title(f"3. {DYING} dies: no heartbeat, no writes, no answer")
        machine.lose_power()
        self.seen.died_at = time.monotonic()
        self.seen.living_before = len(machine.living())
        self._tell.say(
            f"killed: heartbeat, agent and VMs of {DYING}; its address is a black hole; its kernel hangs with power on",
            style="red",
        )
        follower = self._next_incident(DYING)
        end = follower.until(
            "the end of the incident", lambda one: not one["open"], within_s=self._at_most(FENCED_WITHIN_S)
        )
        self.seen.fenced = end
        self.seen.rounds = follower.details("rounds")
        self.seen.attempts = follower.details("attempts")
        self.seen.effects = follower.details("effects")
        self._mail("power is being cut", "power proven off", "fenced")

    def _life_goes_on_elsewhere(self) -> None:
        """What an orchestrator does after the release: it starts the VMs on another host, and the inventory follows."""
        if not any(call["effect"] == "release" for call in orchestrator_calls(self._world.told_orchestrator)):
            raise DemoError("the incident is closed, but nobody was told to start the VMs elsewhere")
        refuge = self._world.machines[REFUGE]
        guests = self._world.machines[DYING].guests
        for guest in guests:
            refuge.start_guest(guest).said(r"^(busy|idle) on", within_s=10)
            body = {"external_id": f"vm-{guest.name}", "disks": [{"path": str(guest.disk)}]}
            self._api.put(f"/hosts/{REFUGE}/vms/{guest.name}", body)
        self.seen.started_elsewhere = True
        names = " and ".join(guest.name for guest in guests)
        self._tell.say(f"the orchestrator, told to by the release, runs {names} on {REFUGE}", style="green")

    def _next_incident(self, host: str) -> Follower:
        before = {one["id"] for one in self._api.incidents(host)}

        def opened() -> dict[str, Any] | None:
            self._world.check()
            return next((one for one in self._api.incidents(host) if one["id"] not in before), None)

        what = f"hostfence to notice that {host} is silent"
        found = self._wait_for(what, opened, NOTICED_WITHIN_S)
        assert found is not None  # noqa: S101 - wait_for gives what is true
        return Follower(self._world, self._api, self._tell, self._post, found)

    def _mail(self, *subjects: str) -> None:
        """Wait until the mails that tell these decisions have arrived."""
        for subject in subjects:
            self._wait_for(f"a mail that says {subject!r}", partial(self._has_mail, subject), TOLD_WITHIN_S)
        self._post.tell_new()

    def _has_mail(self, subject: str) -> bool:
        return any(subject in mail.subject for mail in read_mails(self._world.mails))

    def _wait_for(self, what: str, look: Callable[[], T], within_s: float) -> T:
        return wait_for(what, look, within_s=self._at_most(within_s), every_s=0.25)

    def _at_most(self, seconds: float) -> float:
        """The story as a whole must be over in time."""
        return max(0.0, min(seconds, self._end_by - time.monotonic()))


def orchestrator_calls(file: Path) -> list[dict[str, Any]]:
    """What hostfence told the toy orchestrator so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def policy_waits() -> list[tuple[str, float]]:
    """What the settings alone make one wait, from death to proof, without any time to look."""
    silence = max(TIMES["min_silence"], TIMES["additional_checks"] * TIMES["check_interval"])
    return [
        ("watch_timeout", TIMES["watch_timeout"]),
        ("grace, or the check_interval to the first round", max(TIMES["grace"], TIMES["check_interval"])),
        ("min_silence, or additional_checks x check_interval", silence),
        ("(off_reads - 1) x read_spacing", (TIMES["off_reads"] - 1) * TIMES["read_spacing"]),
    ]
