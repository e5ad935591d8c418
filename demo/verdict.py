"""Holds the story to account: the logs of BMCs and CloudStack, the mails, the incidents' ends; the table of times."""

from itertools import pairwise
from typing import Any

from demo.api import Api, monotonic
from demo.cloudstack import FASTER
from demo.mail import read_mails
from demo.story import DYING, IDLE, OTHER, Seen, policy_waits
from demo.tell import Teller
from demo.times import TIMES, TIMES_EVERYWHERE
from demo.verdict_cloud import Facts, cloud_facts, quarantined_at
from demo.world import World

_HARMLESS = frozenset({"login", "logout", "status"})


def facts(world: World, api: Api, seen: Seen) -> Facts:
    """Everything the demo promises, and whether it is so."""
    return [*_bmcs(world, seen), *_incidents(api, seen), *_mails(world), *_host(world, seen), *cloud_facts(world, seen)]


def show(found: Facts, tell: Teller) -> bool:
    """Say them; true when all are good."""
    tell.title("Asserted, from the BMCs' and CloudStack's own logs, the mails and the REST interface")
    for text, good in found:
        tell.check(text, good=good)
    tell.plain(f"  {sum(good for _, good in found)} of {len(found)} hold")
    return all(good for _, good in found)


def times(world: World, seen: Seen, tell: Teller) -> None:
    """From death to release, in seconds, beside what the settings alone make one wait."""
    dead = _dead_rounds(seen)
    proven = monotonic(seen.fenced["proof"]["proven_at"])
    moments = [
        ("death", seen.died_at),
        ("suspected: incident opened", monotonic(seen.fenced["opened_at"])),
        ("first dead round", monotonic(dead[0]["at"])),
        ("quarantined: Disabled in CloudStack", quarantined_at(world)),
        ("last dead round", monotonic(dead[-1]["at"])),
        ("intent stored", monotonic(seen.attempts[0]["intended_at"])),
        ("off at the BMC, by its own log", _entries(world, DYING, "power_off")[0]["at"]),
        ("off proven", proven),
        *((f"{vm} runs elsewhere", at) for vm, at in seen.runs_at.items()),
        ("released: CloudStack has none of its VMs there", monotonic(seen.fenced["released_at"])),
    ]
    moments.sort(key=lambda moment: moment[1])
    steps = [0.0, *(after[1] - before[1] for before, after in pairwise(moments))]
    rows = [(text, f"{at - seen.died_at:.1f}", f"+{step:.1f}") for (text, at), step in zip(moments, steps, strict=True)]
    tell.table("Seconds from death to life elsewhere, and from step to step", rows)
    waits = policy_waits()
    total = sum(seconds for _, seconds in waits)
    took = proven - seen.died_at
    listed = [(text, f"{seconds:.0f}", "") for text, seconds in waits]
    listed.append(("sum of the settings' own waits", f"{total:.0f}", ""))
    listed.append(("death to proof of off, as it was", f"{took:.1f}", f"{took - total:+.1f}: looking, asking, reading"))
    window = TIMES_EVERYWHERE["vanish_window"] + TIMES_EVERYWHERE["heartbeat_interval"]
    listed.append(("least from command to release: vanish_window + heartbeat", f"{window:.0f}", ""))
    remark = f"its clock runs {FASTER} times as fast here"
    listed.append(("death to CloudStack's own VM-HA, had nobody quarantined it", _alone(world, seen), remark))
    listed.append(("the story, without its set-up", f"{seen.took_s:.0f}", ""))
    tell.table("Beside what the settings alone make one wait, in seconds", listed)


def _alone(world: World, seen: Seen) -> str:
    at = world.cloud.by_itself_at
    return f"{at - seen.died_at:.1f}" if at else "never"


def _bmcs(world: World, seen: Seen) -> Facts:
    offs, went_off = _entries(world, DYING, "off"), _entries(world, DYING, "power_off")
    dead = _dead_rounds(seen)
    needed = 1 + TIMES["additional_checks"]
    others = [entry for name in (IDLE, OTHER) for entry in _commands(world, name)]
    return [
        (
            f"{DYING}'s BMC was told off exactly once, on once by the operator, and nothing else",
            [entry["what"] for entry in _commands(world, DYING)] == ["power_off", "off", "power_on", "on"],
        ),
        (
            f"{DYING}'s BMC said on until then",
            len(offs) == len(went_off) == 1 and abs(offs[0]["at"] - went_off[0]["at"]) < 1,
        ),
        (
            f"no off before the last of {len(dead)} dead rounds (at least {needed} needed)",
            len(dead) >= needed and bool(went_off) and went_off[0]["at"] > monotonic(dead[-1]["at"]),
        ),
        (f"the BMCs of {IDLE} and {OTHER} were only ever read", not others),
    ]


def _incidents(api: Api, seen: Seen) -> Facts:
    held, end = seen.held, seen.fenced
    proven, released = end["proof"]["proven_at"] or "", end["released_at"] or ""
    return [
        ("hostfence's own watch opened both incidents", held["source"] == end["source"] == "watch"),
        (
            "with only the agent gone: held with agent_only, no command, recovered",
            "agent_only" in held["reasons"]
            and held["command"]["count"] == 0
            and seen.recovered["state"] == "recovered",
        ),
        (
            "the dead host's incident: fenced, one command, off proven, then released",
            end["state"] == "fenced" and end["command"]["count"] == 1 and "" < proven <= released,
        ),
        (
            f"{end['proof']['reads']} off reads in a row made the proof (at least {TIMES['off_reads']})",
            end["proof"]["reads"] >= TIMES["off_reads"],
        ),
        (f"{IDLE}, idle all the time, and {OTHER}: no incident", not api.incidents(IDLE) + api.incidents(OTHER)),
        (f"{DYING}: these two incidents and no other", len(api.incidents(DYING)) == 2),
    ]


def _mails(world: World) -> Facts:
    mails = read_mails(world.mails)
    wanted = [
        ("held", "held", "heartbeat"),
        ("back", "back", "nothing was done"),
        ("fencing", "dead; power is being cut", "cutting its power"),
        ("proof", "power proven off", "proven off"),
        ("fenced", "fenced", "may run elsewhere"),
        ("returned", "returned", "healthy for long enough"),
    ]
    told: Facts = []
    for name, subject, text in wanted:
        fitting = [mail for mail in mails if f"{DYING}: {subject}" in mail.subject]
        good = len(fitting) == 1 and text in " ".join(fitting[0].text.split())
        told.append((f"one mail told: {name}", good))
    told.append((f"all {len(mails)} mails are about {DYING}", all(DYING in mail.subject for mail in mails)))
    return told


def _host(world: World, seen: Seen) -> Facts:
    idle = {guest.name: guest.disk.stat().st_mtime_ns for guest in world.machines[IDLE].guests}
    return [
        (
            f"{seen.living_before} process of {DYING} still ran before the off, none afterwards",
            seen.living_before > 0 and seen.living_after == 0,
        ),
        (f"the disks of {IDLE}'s own VM were not written once", idle == seen.idle_disk_at),
    ]


def _dead_rounds(seen: Seen) -> list[dict[str, Any]]:
    """Those that counted; looks after the command count nothing."""
    intended = seen.attempts[0]["intended_at"] if seen.attempts else ""
    return [one for one in seen.rounds if one["verdict"] == "dead" and one["counted"] and one["at"] <= intended]


def _entries(world: World, name: str, what: str) -> list[dict[str, Any]]:
    return [entry for entry in world.machines[name].bmc_entries() if entry["what"] == what]


def _commands(world: World, name: str) -> list[dict[str, Any]]:
    return [entry for entry in world.machines[name].bmc_entries() if entry["what"] not in _HARMLESS]
