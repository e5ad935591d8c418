"""Schedules aimed at what chance alone hardly ever brings about: one death in a calm world, and what makes it hard.

Which one a schedule is follows from its number alone, so that any few hundred in a row reach every one of them.
"""

import random
from typing import Any

from controller.domain.power import PowerAction
from tests.simulation.hardware import Fault
from tests.simulation.plan import FAST, Mishap, Plan

HOST = "h1"
FIVE = {"c1": ("h1", "h2", "h3", "h4", "h5")}
DIES_AT_S = 36.0
ENDS_AT_S = 240.0
FOR_GOOD_S = 900.0

MARKS = ("excluded", "maintenance", "runs_controller", "cloud_ha")

ALL_THE_TIME = ("transaction", "committed", "woke", "before commit", "after commit", "watch", "watched")
EVERY_ROUND = ("ask", "asked", "says", "disks", "turn", "status", "status read")

CLOUD = tuple(
    f"cloud {effect}{how}" for effect in ("quarantine", "unquarantine", "release") for how in ("", " sent", " done")
)
STATES = ("checking", "fencing", "verifying", "releasing", "held", "fenced", "recovered", "notified", "cancelled")

POINTS = (
    *ALL_THE_TIME,
    *EVERY_ROUND,
    *("before intent", "after intent", "before effect", "after effect"),
    *(f"{when} {action}" for action in ("off", "on", "blink", "blink_off") for when in ("act", "acted")),
    *(f"{when} to {state}" for state in ("suspect", *STATES) for when in ("before", "after")),
    *CLOUD,
    "cloud release said",
)
"""Every commit and every call to the outside, before and after: where a controller may die."""

WORST = (
    *("after to suspect", "after to checking", "asked", "status read", "before intent", "after intent", "act off"),
    *("acted off", "after to verifying", "before to releasing", "after to releasing", "cloud release"),
    *("cloud release sent", "after to fenced", "after to held", "cloud quarantine sent"),
)
"""Moments at which a host had better not be back."""

Way = tuple[dict[str, Any], list[Mishap]]
"""What differs from the calm plan (its fields, and settings by their names), and the mishaps.

``lives``: the host is cut off from everything instead of dying. ``stays``: not even that.
"""


def at_a_point(number: int, rng: random.Random) -> Plan:
    """A controller dies at the point whose turn it is; every other time something else happens to it just there."""
    visit, which = divmod(number, len(POINTS))
    point, at = POINTS[which], DIES_AT_S + rng.uniform(0, 5)
    differs, mishaps = _leading_to(point, at, rng)
    skip = rng.choice((0, 20, 60, 150)) if point in ALL_THE_TIME else rng.choice((0, 4, 9, 20))
    skip = skip if point in (*ALL_THE_TIME, *EVERY_ROUND) else 0
    lasts = rng.uniform(3, 40)
    others = (
        ("pause_process", lasts),
        ("restart",),
        ("database_gone", lasts / 2, True),
        ("controller_cut_off", lasts),
        ("devices_cut_off", lasts),
        ("clock_step", rng.choice((-3600.0, 3600.0))),
        ("database_slow", 2.5, lasts),
        ("second_controller",),
    )
    what = Mishap(at, "trap", (point, skip))
    if visit % 2:
        what = Mishap(at, "at_later_point", (point, skip, *others[(visit // 2 + which) % len(others)]))
    return _plan(rng, differs, [*mishaps, what])


def _leading_to(point: str, at: float, rng: random.Random) -> Way:
    """A plan on whose way the point lies."""
    gone, off_again = [Mishap(at, "hang", (HOST,))], Mishap(at + 70, "technician", (HOST, False))
    back = Mishap(at + 90, "technician", (HOST, True))
    ways: dict[str, Way] = {
        "on": ({"action": "reboot"}, gone),
        "blink": ({"action": "blink"}, gone),
        "blink_off": ({"action": "blink"}, [*gone, off_again, back]),
        "notified": ({"action": "none"}, gone),
        "cancelled": ({}, [*gone, Mishap(at + rng.uniform(15, 40), "cancel", (HOST,))]),
        "recovered": ({}, [Mishap(at, "isolate", (HOST, 30.0))]),
        "held": ({}, [Mishap(at, "fault", (HOST, Fault.AGENT_DOWN, FOR_GOOD_S))]),
        "said": ({"slow_release": True}, gone),
    }
    if "unquarantine" in point:
        return {}, [*gone, back]
    return ways.get(point.rsplit(maxsplit=1)[-1], ({}, gone))


def aimed(number: int, rng: random.Random) -> Plan:
    """The way whose turn it is."""
    at = DIES_AT_S + rng.uniform(0, 5)
    every = _ways(at, rng)
    differs, mishaps = every[number % len(every)]
    lives, stays = differs.pop("lives", False), differs.pop("stays", False)
    death = Mishap(at, "isolate", (HOST, FOR_GOOD_S)) if lives else Mishap(at, "hang", (HOST,))
    return _plan(rng, differs, mishaps if stays else [death, *mishaps])


def _ways(at: float, rng: random.Random) -> list[Way]:
    return [
        *_about_the_device(at, rng),
        *_about_its_return(at),
        *_about_people(at, rng),
        *_about_controllers(at, rng),
        *_about_the_cloud(at, rng),
    ]


def _about_the_device(at: float, rng: random.Random) -> list[Way]:
    ignores = Mishap(at, "bmc", (HOST, "ignores_off", True, FOR_GOOD_S))
    silent = Mishap(at, "bmc_unreachable", (HOST, rng.choice((20.0, FOR_GOOD_S))))
    return [
        ({}, [Mishap(at, "at_point", ("after to verifying", "bmc_unreachable", HOST, rng.uniform(16, 40)))]),
        ({}, [Mishap(at, "at_point", ("after to releasing", "bmc_unreachable", HOST, rng.uniform(2, 10)))]),
        ({}, [ignores]),
        ({}, [ignores, Mishap(at, "at_later_point", ("after to fencing", 1, "reconnect", HOST))]),
        ({}, [ignores, Mishap(at, "at_point", ("after to held", "acknowledge", HOST, True))]),
        # The budget is lowered to what is spent while the second command waits for its last look.
        (
            {},
            [ignores, Mishap(at, "at_later_point", ("after to fencing", 1, "setting", "max_commands_per_incident", 1))],
        ),
        ({}, [Mishap(at + rng.uniform(0, 20), "driver_gone", (90.0,))]),
        ({}, [Mishap(at + rng.uniform(0, 20), "address_refused", (HOST, 90.0))]),
        ({}, [Mishap(at, "at_point", ("after to fencing", "device_of", HOST, "h2", 60.0))]),
        ({}, [Mishap(at + rng.uniform(0, 30), "device_of", (HOST, "", 60.0))]),
        ({"second_devices": True}, [silent]),
        ({"second_devices": True}, [ignores]),
        (
            {"second_devices": True},
            [
                Mishap(at, "bmc_unreachable", (HOST, FOR_GOOD_S)),
                Mishap(at, "second_unreachable", (HOST, rng.uniform(30, 120))),
            ],
        ),
        ({"second_devices": True}, [Mishap(at, "wrong_second", (HOST, "h2")), Mishap(at, *_gone_for_good(HOST))]),
        ({}, [Mishap(at, "bmc", (HOST, "answers_after_s", 6.0, 60.0))]),
    ]


def _gone_for_good(host: str) -> tuple[str, tuple[str, float]]:
    return "bmc_unreachable", (host, FOR_GOOD_S)


def _about_its_return(at: float) -> list[Way]:
    """It lives where nobody sees it, and is back at the worst moment, under the boot id it had."""
    lies = Mishap(at, "bmc", (HOST, "lies_off", True, FOR_GOOD_S))
    back: list[Way] = [({"lives": True}, [lies, Mishap(at, "at_point", (point, "rejoin", HOST))]) for point in WORST]
    return [
        *back,
        ({"lives": True}, [Mishap(at, "at_point", ("after to fencing", "rejoin", HOST))]),
        # Only its cloud sees it: neither its agent nor its heartbeat is back.
        (
            {"lives": True, "cloud_opinions": True},
            [
                Mishap(at - 1, "agent_and_beat", (HOST, FOR_GOOD_S)),
                Mishap(at, "bmc", (HOST, "ignores_off", True, FOR_GOOD_S)),
                Mishap(at, "at_later_point", ("after to fencing", 1, "rejoin", HOST)),
            ],
        ),
        (
            {"stays": True},
            [Mishap(at, "fault", (HOST, fault, FOR_GOOD_S)) for fault in (Fault.AGENT_SLOW, Fault.BEAT_DOWN)],
        ),
        ({}, [Mishap(at, "at_point", ("after to releasing", "technician", HOST, True))]),
        ({"action": "reboot"}, [Mishap(at, "at_point", ("after to verifying", "technician", HOST, True))]),
    ]


def _about_people(at: float, rng: random.Random) -> list[Way]:
    on = PowerAction.ON
    marked: list[Way] = [({}, [Mishap(at + rng.uniform(0, 30), "mark_host", (HOST, mark, 90.0))]) for mark in MARKS]
    meanwhile: list[Way] = [
        ({}, [Mishap(at, "at_point", ("after to fencing", "mark_host", HOST, mark, 90.0))]) for mark in MARKS
    ]
    return [
        *marked,
        *meanwhile,
        ({"action": "none"}, [Mishap(at + rng.uniform(90, 110), "report", (HOST,))]),
        (
            {},
            [
                Mishap(at, "bmc", (HOST, "takes_s", 5.0, FOR_GOOD_S)),
                Mishap(at, "at_point", ("after to fencing", "manual", HOST, PowerAction.OFF, True)),
            ],
        ),
        (
            {},
            [
                Mishap(at, "bmc", ("h2", "takes_s", 3.0, FOR_GOOD_S)),
                Mishap(at + 10, "manual", ("h2", on, False)),
                Mishap(at + 10 + rng.uniform(0.5, 2.5), "manual", ("h2", on, False)),
            ],
        ),
        # A person's command dies with its controller: for two minutes nobody knows whether it is on its way.
        (
            {"additional_checks": 0, "controllers": 2},
            [Mishap(at + 5, "trap", ("act on", 0)), Mishap(at + 5.5, "manual", (HOST, on, True))],
        ),
        ({}, [Mishap(at, "at_point", ("after to fencing", "setting", "max_actions", 0))]),
        ({}, [Mishap(at, "at_point", ("after to fencing", "setting", "mode", "observe"))]),
        ({}, [Mishap(at, "at_point", ("after to fencing", "setting", "action", "none"))]),
        ({}, [Mishap(at, "at_point", ("after to checking", "cancel", HOST))]),
        ({}, [Mishap(at, "at_point", ("after to fencing", "cancel", HOST))]),
    ]


def _about_controllers(at: float, rng: random.Random) -> list[Way]:
    old = restored(at + rng.uniform(-8, 60), rng)
    return [
        ({"startup_quiet": 150}, []),
        ({}, [Mishap(at + rng.uniform(0, 40), "blackout", (rng.uniform(10, 80), rng.choice((-3600.0, 3600.0))))]),
        ({}, old),
        ({}, [*old, Mishap(old[1].at - 2, "blackout", (rng.uniform(4, 70), 0.0))]),
        ({}, [Mishap(at, "at_point", ("after to fencing", "watches_slow", 15.0))]),
        ({"controllers": 2}, [Mishap(at - 10, "controller_cut_off", (FOR_GOOD_S,))]),
        ({}, [Mishap(at + rng.uniform(-10, 60), "newcomer_cut_off", (rng.uniform(20, 120),))]),
        ({}, [Mishap(at, "at_point", ("asked", "controller_cut_off", rng.uniform(5, 60)))]),
        ({"controllers": 2}, [Mishap(at + rng.uniform(0, 60), "devices_cut_off", (rng.uniform(20, 120),))]),
        ({}, [Mishap(at, "at_point", ("asked", "clock_step", rng.choice((-3600.0, 3600.0))))]),
    ]


def _about_the_cloud(at: float, rng: random.Random) -> list[Way]:
    thinks = {"cloud_opinions": True}
    return [
        ({}, [Mishap(at - 2, "placed_elsewhere", (f"{HOST}v0", "h2"))]),
        ({}, [Mishap(at + rng.uniform(0, 15), "started_elsewhere", (f"{HOST}v0", "h2"))]),
        ({"guests": 2}, [Mishap(at + rng.uniform(0, 80), "started_elsewhere", (f"{HOST}v0", "h2"))]),
        ({}, [Mishap(at - 5, "no_guests", (HOST,))]),
        ({}, [Mishap(at, "at_point", ("after to releasing", "cloud_effects_fail", rng.uniform(5, 30)))]),
        ({}, [Mishap(at, "at_point", ("after to releasing", "cloud_effects_fail", 90.0))]),
        ({}, [Mishap(at + rng.uniform(0, 20), "adapter_fails", (rng.uniform(10, 40),))]),
        ({}, [Mishap(at - 15, "copied", (HOST, rng.uniform(10, 60)))]),
        (thinks, [Mishap(at + 10, "cloud_mute", (rng.uniform(60, 90),))]),
        (thinks | {"cloud_notices_after_s": rng.choice((70.0, 150.0))}, []),
        (
            thinks | {"cloud_notices_after_s": 100.0, "lives": True},
            [Mishap(at + rng.uniform(60, 95), "rejoin", (HOST,))],
        ),
    ]


def restored(backup_at: float, rng: random.Random) -> list[Mishap]:
    """An old backup, taken moments or minutes ago, takes the place of the database."""
    return [
        Mishap(backup_at, "backup"),
        Mishap(backup_at + rng.choice((3.0, 15.0, 30.0, 90.0)) * rng.uniform(0.5, 1.5), "restore"),
    ]


def _plan(rng: random.Random, differs: dict[str, Any], mishaps: list[Mishap]) -> Plan:
    settings = FAST | {name: value for name, value in differs.items() if name in FAST}
    fields: dict[str, Any] = {
        "hosts": FIVE,
        "controllers": rng.choice((1, 2)),
        "ends_at": ENDS_AT_S,
        "liveness": rng.random() < 0.05,
    }
    fields |= {name: value for name, value in differs.items() if name not in FAST}
    return Plan(seed=0, settings=settings, mishaps=tuple(sorted(mishaps, key=lambda m: m.at)), **fields)
