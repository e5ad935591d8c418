"""From silence to off and on to the release: how long each step takes under a policy, at the soonest and at the latest.

The latest holds while everything answers as it should: no host but one is dead, nothing is held, the power device
obeys. Compared with the whole engine on virtual time by ``tests/scenarios/test_timeline.py``. Pure.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from controller.domain.policy import Policy
from controller.domain.schedule import SAMPLED_WITHIN

POLL_S = 2.0
"""Between two polls of the own watch; a test compares these figures with the engine's."""
POLL_DEADLINE_S = 2.0
LONGEST_LOOK_S = 6.0
LOOK_SHARE_OF_INTERVAL = 0.6
OWN_ADDRESS_S = 1.1

BEAT_S = 1.0
"""From due to done, in a step that waits for nobody: the worker's beat, the transactions."""
DRIFT_S = 0.5
"""By how much a check round may come late."""
OBEYS_S = 10.0
"""Within this a healthy power device has taken the command and reads *off*."""
READ_S = 1.0
"""What one read of the power state takes."""

NARROW_S = 15.0
"""A lead on the cloud's own restart that is shorter than this is worth a warning."""


class Stage(StrEnum):
    """What is reached."""

    SUSPECTED = "suspected"
    FIRST_DEAD_ROUND = "first_dead_round"
    DECIDED = "decided"
    COMMAND = "command"
    OFF_PROVEN = "off_proven"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage: seconds since the host fell silent, and the settings they come from."""

    stage: Stage
    soonest_s: float
    latest_s: float
    settings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All stages in order. ``margin_s``: by how much the quarantine comes before the cloud's own restart."""

    steps: tuple[Step, ...]
    cloud_restarts_after_s: float | None = None
    margin_s: float | None = None

    def at(self, stage: Stage) -> Step:
        """One stage."""
        return next(step for step in self.steps if step.stage is stage)

    @property
    def off_s(self) -> float:
        """From silence to proven off, at the latest."""
        return self.at(Stage.OFF_PROVEN).latest_s

    @property
    def release_s(self) -> float:
        """From silence to where the machines may start elsewhere, at the latest."""
        return self.at(Stage.RELEASED).latest_s


def timeline(policy: Policy, *, cloud_restarts_after_s: float | None = None, asks_cloud: bool = False) -> Timeline:
    """What follows from the policy's own waits.

    ``asks_cloud``: a cloud has an opinion of the host, and no command is sent before it has noticed the silence too;
    when that is nobody promises, but it is never later than the cloud's own restart.
    """
    suspected = _suspected(policy)
    first = _first_dead_round(policy, suspected)
    decided = _decided(policy, first, cloud_restarts_after_s if asks_cloud else None, asks_cloud=asks_cloud)
    command = _command(policy, decided)
    proven = _proven(policy, command)
    steps = (suspected, first, decided, command, proven, _released(policy, command, proven))
    margin = None if cloud_restarts_after_s is None else cloud_restarts_after_s - first.latest_s - BEAT_S
    return Timeline(steps=steps, cloud_restarts_after_s=cloud_restarts_after_s, margin_s=margin)


def look_s(policy: Policy) -> float:
    """How long a look takes at most: as long as the dead host's address is waited for."""
    return min(LONGEST_LOOK_S, LOOK_SHARE_OF_INTERVAL * _s(policy.check_interval))


def rounds(policy: Policy) -> int:
    """How many dead rounds it takes until both their number and the silence are enough."""
    spanning = math.ceil(_s(policy.min_silence) / _s(policy.check_interval)) + 1
    return max(policy.rounds_needed, spanning)


def _suspected(policy: Policy) -> Step:
    """The last sign of life may be some seconds older than the death; polls that wait for the dead one are slower."""
    timeout = _s(policy.watch_timeout)
    before = max(POLL_S + POLL_DEADLINE_S, 2 * _s(policy.heartbeat_interval))
    return Step(
        stage=Stage.SUSPECTED,
        soonest_s=max(0.0, timeout - before),
        latest_s=timeout + POLL_S + 2 * POLL_DEADLINE_S + 2 * POLL_DEADLINE_S,
        settings=("watch_timeout",),
        text="The own watch has missed the host for watch_timeout, two neighbors do not reach it either, "
        "and an incident is opened.",
    )


def _first_dead_round(policy: Policy, before: Step) -> Step:
    wait = _s(max(policy.grace, policy.check_interval))
    return Step(
        stage=Stage.FIRST_DEAD_ROUND,
        soonest_s=before.soonest_s + wait,
        latest_s=before.latest_s + wait + look_s(policy) + 2 * BEAT_S,
        settings=("grace", "check_interval"),
        text="After a baseline and the grace the first check round finds the host dead. It is quarantined, so that "
        "the cloud does not start its machines by itself.",
    )


def _decided(policy: Policy, before: Step, cloud_by: float | None, *, asks_cloud: bool) -> Step:
    interval, silence = _s(policy.check_interval), _s(policy.min_silence)
    more = rounds(policy) - 1
    soonest = max((policy.rounds_needed - 1) * interval, silence)
    # Where the rounds span just the silence, a look that took less than the first leaves a little missing.
    spare = interval if more * interval - silence < BEAT_S else 0.0
    latest = before.latest_s + more * (interval + DRIFT_S) + spare
    notices = f"{_also_the_cloud(cloud_by)}" if asks_cloud else ""
    return Step(
        stage=Stage.DECIDED,
        soonest_s=before.soonest_s + soonest,
        latest_s=max(latest, cloud_by + interval + BEAT_S) if cloud_by is not None else latest,
        settings=("additional_checks", "check_interval", "min_silence"),
        text=f"{rounds(policy)} dead rounds over at least min_silence are enough.{notices}",
    )


def _also_the_cloud(cloud_by: float | None) -> str:
    if cloud_by is None:
        return " If the cloud has not noticed by then, hostfence waits for it."
    return f" The cloud must have noticed too, which it does within {cloud_by:.0f} s."


def _command(policy: Policy, before: Step) -> Step:
    wait = min(_s(policy.check_interval), _s(policy.heartbeat_interval + SAMPLED_WITHIN))
    return Step(
        stage=Stage.COMMAND,
        soonest_s=before.soonest_s + wait,
        latest_s=before.latest_s + wait + look_s(policy) + 2 * BEAT_S,
        settings=("check_interval", "heartbeat_interval"),
        text="A last look waits for one more heartbeat of each witness; then the power device is told to cut the "
        "power.",
    )


def _proven(policy: Policy, before: Step) -> Step:
    spacing = _s(policy.read_spacing)
    return Step(
        stage=Stage.OFF_PROVEN,
        soonest_s=before.soonest_s + (policy.off_reads - 1) * spacing,
        latest_s=before.latest_s + OBEYS_S + OWN_ADDRESS_S + policy.off_reads * (spacing + READ_S),
        settings=("off_reads", "read_spacing"),
        text=f"The power device has read off {policy.off_reads} times in a row.",
    )


def _released(policy: Policy, command: Step, proven: Step) -> Step:
    spacing, window = _s(policy.read_spacing), _s(policy.vanish_window + policy.heartbeat_interval)
    tail = spacing + look_s(policy) + 2 * BEAT_S
    first_off = command.latest_s + OBEYS_S + OWN_ADDRESS_S + spacing + READ_S
    return Step(
        stage=Stage.RELEASED,
        soonest_s=max(proven.soonest_s + spacing, command.soonest_s + window),
        latest_s=max(proven.latest_s, first_off + window) + tail,
        settings=("vanish_window", "heartbeat_interval", "read_spacing"),
        text="No other host fell silent with the command: the machines may start elsewhere.",
    )


def _s(duration: timedelta) -> float:
    return duration.total_seconds()
