"""Holds the story to account before CloudStack: what hostfence told it and when, and what became of every VM."""

from demo.api import monotonic
from demo.cloudstack import Asked
from demo.story import DYING, IDLE, OTHER, Seen
from demo.world import World

Facts = list[tuple[str, bool]]

ORDER = (
    "Up/Enabled",
    "Up/Disabled",
    "Disconnected/Disabled",
    "Disconnected/Degraded",
    "Up/Degraded",
    "Up/Enabled",
)
"""What CloudStack makes of a host that is quarantined, lost, released and back."""

_LETS_GO = ("declare", "stop", "start")
"""How calls begin that make VMs count as stopped, or start them."""


def cloud_facts(world: World, seen: Seen) -> Facts:
    """From the double's own log and rows, and from the processes that really run."""
    return [*_calls(world, seen), *_views(world), *_machines(world, seen)]


def quarantined_at(world: World) -> float:
    """When hostfence told CloudStack to disable the host; monotonic."""
    return min((call.at for call in _disabling(world)), default=float("inf"))


def _calls(world: World, seen: Seen) -> Facts:
    calls, ids = world.cloud.changes(), world.cloud.ids(DYING)
    ours = {ids["host"], *(ids[guest.name] for guest in world.machines[DYING].guests)}
    off = min((e["at"] for e in world.machines[DYING].bmc_entries() if e["what"] == "power_off"), default=0.0)
    proven = monotonic(seen.fenced["proof"]["proven_at"])
    letting_go = [call for call in calls if call.command.startswith(_LETS_GO)]
    undone = [call for call in calls if call.command == "cancelHostAsDegraded"]
    return [
        (
            f"CloudStack was told once to disable {DYING}, before its own VM-HA would act and before the off",
            len(_disabling(world)) == 1 and quarantined_at(world) < min(off, world.cloud.by_itself_at or off),
        ),
        (
            "CloudStack was told to let its VMs go (degraded) after the proof of off, never before",
            [call.command for call in letting_go][:1] == ["declareHostAsDegraded"]
            and min(call.at for call in letting_go) >= proven,
        ),
        (
            "CloudStack was told once to take it back, after its power was on again",
            len(undone) == 1 and undone[0].at > seen.back_at > off > 0,
        ),
        (
            f"CloudStack was told nothing that changes {IDLE}, {OTHER} or their VMs",
            bool(calls) and all(call.params.get("id") in ours for call in calls),
        ),
    ]


def _views(world: World) -> Facts:
    cloud = world.cloud
    others = cloud.views_of(IDLE) + cloud.views_of(OTHER)
    return [
        (f"CloudStack's view of {DYING}: {', '.join(ORDER)}", cloud.views_of(DYING) == list(ORDER)),
        (f"CloudStack's view of {IDLE} and {OTHER}: Up/Enabled all the time", set(others) == {"Up/Enabled"}),
    ]


def _machines(world: World, seen: Seen) -> Facts:
    cloud, machines = world.cloud, world.machines
    places = {guest.name: cloud.runs_on(guest.name) for guest in machines[DYING].guests}
    said = ", ".join(f"{vm} on {host or 'no host'}" for vm, host in places.items())
    pids = {guest.name: machines[host].pid(guest.name) for host in (IDLE, OTHER) for guest in machines[host].guests}
    twice = sorted({*cloud.two_writers, *world.disks_in_use()})
    return [
        (
            f"its VMs are Running elsewhere and really run there: {said}",
            all(host not in ("", DYING) and machines[host].pid(vm) for vm, host in places.items()),
        ),
        (f"the VMs of {IDLE} and {OTHER} are the same processes as before", pids == seen.pids and all(pids.values())),
        (
            f"never two writers on one disk: {cloud.looks} looks at every VM, and each disk's own lock at every start",
            not twice,
        ),
    ]


def _disabling(world: World) -> list[Asked]:
    return [call for call in world.cloud.changes() if call.params.get("allocationstate") == "Disable"]
