"""The story: a host that only lost its agent, a host that is merely idle, a host that died and comes back.

The script starts, kills and black-holes things and reads the REST interface. All detection and every decision is
hostfence's own; where machines run is CloudStack's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from demo.api import Api
from demo.cloudstack import FASTER
from demo.follow import Follower, Post
from demo.machine import Machine
from demo.mail import read_mails
from demo.processes import wait_for
from demo.tell import Teller
from demo.times import TIMES
from demo.world import World

DYING, IDLE, OTHER = "kvm-a", "kvm-b", "kvm-c"
NOTICED_WITHIN_S = 30.0
HELD_WITHIN_S = 60.0
BACK_WITHIN_S = 20.0
FENCED_WITHIN_S = 130.0
TOLD_WITHIN_S = 10.0
ON_WITHIN_S = 15.0
RUN_WITHIN_S = 20.0
IN_USE_WITHIN_S = 45.0
STORY_WITHIN_S = 200.0
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
    took_s: float = 0.0
    """The story, after the set-up."""
    died_at: float = 0.0
    """Monotonic, as the BMCs' logs are."""
    back_at: float = 0.0
    """When its power was on again; monotonic."""
    runs_at: dict[str, float] = field(default_factory=dict)
    """When each VM of the dead host first ran elsewhere: CloudStack said Running, and its process lived."""
    living_before: int = 0
    living_after: int = 0
    pids: dict[str, int] = field(default_factory=dict)
    """Of the other hosts' VMs, before anything happened."""
    idle_disk_at: dict[str, int] = field(default_factory=dict)


class Story:
    """Tell it once, with :meth:`run`."""

    def __init__(self, world: World, api: Api, tell: Teller) -> None:
        self._world, self._api, self._tell = world, api, tell
        self._post = Post(world, tell)
        self._began = time.monotonic()
        self.seen = Seen()

    def run(self) -> Seen:
        """All parts; returns what happened. Raises :class:`MissedError` for what did not."""
        self._an_idle_host()
        self._only_the_agent_dies()
        self._the_host_dies()
        self._the_host_comes_back()
        self.seen.took_s = time.monotonic() - self._began
        return self.seen

    def _an_idle_host(self) -> None:
        machine = self._world.machines[IDLE]
        self.seen.idle_disk_at = {guest.name: guest.disk.stat().st_mtime_ns for guest in machine.guests}
        self._tell.title(f"1. {IDLE} is idle: its own VM writes nothing, from here to the end")
        self._tell.say("quiet disks alone are no sign of death: its heartbeat moves, so nothing must happen to it")
        for name, other in self._world.machines.items():
            self._tell.say(f"CloudStack: {name} is {self._world.cloud.view(name)}", style="cloud")
            if name != DYING:
                self.seen.pids |= {guest.name: other.pid(guest.name) for guest in other.guests}

    def _only_the_agent_dies(self) -> None:
        machine = self._world.machines[DYING]
        self._tell.title(f"2. On {DYING} only hostfence's agent stops answering; its heartbeat and the VMs go on")
        machine.kill("serve")
        self._tell.say(f"killed: the probe agent's HTTP service on {DYING}; CloudStack notices nothing", style="red")
        follower = self._next_incident(DYING)
        self.seen.held = follower.until(
            "a hold", lambda one: one["state"] == "held", within_s=self._at_most(HELD_WITHIN_S)
        )
        self._mail("held")
        machine.start_agent()
        self._tell.say(f"started again: the probe agent's HTTP service on {DYING}", style="green")
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
        machine, cloud = self._world.machines[DYING], self._world.cloud
        self._tell.title(f"3. {DYING} dies: no heartbeat, no writes, no answer")
        machine.lose_power()
        cloud.died(DYING)
        self.seen.died_at = time.monotonic()
        self.seen.living_before = len(machine.living())
        self._tell.say(
            f"killed: heartbeat, agents, VMs of {DYING}; its address is a black hole; its kernel hangs with power on",
            style="red",
        )
        self._tell.say(
            f"CloudStack still calls it {cloud.views_of(DYING)[-1]}, until its ping time-out "
            f"({cloud.ping_timeout_s:g} s here, {cloud.ping_timeout_s * FASTER:g} s by default)"
        )
        follower = self._next_incident(DYING)
        end = follower.until(
            "the end of the incident", lambda one: not one["open"], within_s=self._at_most(FENCED_WITHIN_S)
        )
        self.seen.fenced = end
        self.seen.rounds = follower.details("rounds")
        self.seen.attempts = follower.details("attempts")
        self.seen.living_after = len(machine.living())
        self._wait_for(
            "CloudStack to run its VMs elsewhere",
            lambda: len(self.seen.runs_at) == len(machine.guests),
            RUN_WITHIN_S,
        )
        self._mail("power is being cut", "power proven off", "fenced")

    def _the_host_comes_back(self) -> None:
        """An operator gives it power again, through hostfence; what it undoes then is its own decision."""
        machine, cloud = self._world.machines[DYING], self._world.cloud
        self._tell.title(f"4. {DYING} is repaired: an operator gives it power again, through hostfence")
        self._api.post(f"/hosts/{DYING}/power/on", {"reason": "the demo has repaired it"})
        on = self._wait_for("its power to be on", partial(self._power_on_at, machine), ON_WITHIN_S)
        machine.boot()
        cloud.booted(DYING)
        self.seen.back_at = on
        self._tell.say(
            f"{DYING} boots: another kernel with another boot id, heartbeat, probe agent and CloudStack's agent"
        )
        self._tell.say(f"hostfence waits until it has been healthy for {TIMES['healthy_for']} s (a setting)")
        self._wait_for(
            "hostfence to take it back into use", lambda: cloud.views_of(DYING)[-1] == "Up/Enabled", IN_USE_WITHIN_S
        )
        self._mail("returned")
        for name in self._world.machines:
            self._tell.say(f"CloudStack: {name} is {cloud.view(name)}", style="cloud")

    def _power_on_at(self, machine: Machine) -> float:
        return next((entry["at"] for entry in machine.bmc_entries() if entry["what"] == "power_on"), 0.0)

    def _look(self) -> None:
        """What happens beside hostfence: CloudStack's view, and what it would have done alone."""
        self._world.check()
        cloud, dying = self._world.cloud, self._world.machines[DYING]
        for guest in dying.guests:
            elsewhere = self._world.machines.get(cloud.runs_on(guest.name))
            if self.seen.died_at and elsewhere not in (None, dying) and elsewhere.pid(guest.name):
                self.seen.runs_at.setdefault(guest.name, time.monotonic())
        if names := cloud.alone():
            after = time.monotonic() - self.seen.died_at
            power = "off" if any(entry["what"] == "power_off" for entry in dying.bmc_entries()) else "on"
            self._tell.say(
                f"without hostfence: a twin of this CloudStack calls {DYING} Down now, {after:.0f} s after its death, "
                f"and starts {' and '.join(names)} elsewhere; nobody asked whether its power is off (it is {power})",
                style="yellow",
            )

    def _next_incident(self, host: str) -> Follower:
        before = {one["id"] for one in self._api.incidents(host)}

        def opened() -> dict[str, Any] | None:
            return next((one for one in self._api.incidents(host) if one["id"] not in before), None)

        what = f"hostfence to notice that {host} is silent"
        found = self._wait_for(what, opened, NOTICED_WITHIN_S)
        assert found is not None  # noqa: S101 - wait_for gives what is true
        return Follower(self._look, self._api, self._tell, self._post, found)

    def _mail(self, *subjects: str) -> None:
        """Wait until the mails that tell these decisions have arrived."""
        for subject in subjects:
            self._wait_for(f"a mail that says {subject!r}", partial(self._has_mail, subject), TOLD_WITHIN_S)
        self._post.tell_new()

    def _has_mail(self, subject: str) -> bool:
        return any(subject in mail.subject for mail in read_mails(self._world.mails))

    def _wait_for(self, what: str, look: Callable[[], T], within_s: float) -> T:
        def looked() -> T:
            self._look()
            return look()

        return wait_for(what, looked, within_s=self._at_most(within_s), every_s=0.25)

    def _at_most(self, seconds: float) -> float:
        """The story as a whole must be over in time."""
        return max(0.0, min(seconds, self._began + STORY_WITHIN_S - time.monotonic()))


def policy_waits() -> list[tuple[str, float]]:
    """What the settings alone make one wait, from death to proof, without any time to look."""
    silence = max(TIMES["min_silence"], TIMES["additional_checks"] * TIMES["check_interval"])
    return [
        ("watch_timeout", TIMES["watch_timeout"]),
        ("grace, or the check_interval to the first round", max(TIMES["grace"], TIMES["check_interval"])),
        ("min_silence, or additional_checks x check_interval", silence),
        ("(off_reads - 1) x read_spacing", (TIMES["off_reads"] - 1) * TIMES["read_spacing"]),
    ]
