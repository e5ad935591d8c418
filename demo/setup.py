"""Sets the demo up as an administrator would: CloudStack knows the site, what it cannot know is written by REST."""

from typing import Any

from demo.api import Api
from demo.cloudstack import CLUSTER
from demo.machine import BMC_PASSWORD
from demo.processes import MissedError, wait_for
from demo.tell import Teller
from demo.times import TIMES, TIMES_EVERYWHERE
from demo.world import World

READY_WITHIN_S = 90.0


def set_up(world: World, api: Api, tell: Teller) -> None:
    """Inventory, settings, agents; returns when hostfence could fence any of the hosts."""
    _read_from_cloudstack(world, api, tell)
    _settings(world, api)
    _hosts(world, api)
    tell.say("written through the REST interface: the BMCs' password, the agents' ports and tokens, a mail channel")
    first = next(iter(world.machines.values()))
    first.prepare_pool()
    for machine in world.machines.values():
        machine.start_heartbeat()
        machine.start_agent()
    tell.say("each host's probe agent runs: one process answers, another one writes the heartbeat on the shared pool")
    _wait_until_seen(world, api)
    # Only now: a host that is watched this closely must be there.
    api.patch(f"/clusters/{CLUSTER}/settings", {"action": "off", **TIMES})
    armed = {"mode": "enforce", "reason": "the demo shows a real fence"}
    for level in ("", f"/clusters/{CLUSTER}", *(f"/hosts/{name}" for name in world.machines)):
        api.put(f"{level}/mode", armed)
    tell.say("armed: mode enforce, action off, shorter times than the defaults; all agents answer")
    _wait_until_ready(world, api, tell)


def _read_from_cloudstack(world: World, api: Api, tell: Teller) -> None:
    """Cluster, hosts, pool, VMs with their disks, BMC addresses and users: all of it comes from there."""

    def read() -> dict[str, Any] | None:
        world.check()
        report: dict[str, Any] = api.get("/cloud")
        return report if report["read_at"] else None

    report = wait_for("hostfence to read CloudStack's inventory", read, within_s=READY_WITHIN_S, every_s=0.25)
    assert report is not None  # noqa: S101 - wait_for gives what is true
    if report["problem"]:
        raise MissedError(f"hostfence could not take over CloudStack's inventory: {report['problem']}")
    found = ", ".join(f"{what} {count}" for what, count in report["counts"].items())
    tell.say(f"hostfence has read CloudStack's inventory, BMC addresses too ({found}); its report says:")
    for sentence in (*report["warnings"], *report["unmapped"]):
        tell.more(sentence)


def _settings(world: World, api: Api) -> None:
    mail = {
        "name": "operators",
        "kind": "email",
        "host": "127.0.0.1",
        "port": world.mail_port,
        "tls": "none",
        "sender": "hostfence@demo.example",
        "recipients": ["on-call@demo.example"],
    }
    api.patch("/settings", {**TIMES_EVERYWHERE, "channels": [mail]})
    api.patch(f"/clusters/{CLUSTER}/settings", {"ipmi.password": BMC_PASSWORD})


def _hosts(world: World, api: Api) -> None:
    """What CloudStack cannot know of a host is where its probe agent listens; and each agent needs its own token."""
    for machine in world.machines.values():
        api.patch(f"/hosts/{machine.name}", {"agent_port": machine.port})
        host = api.post(f"/hosts/{machine.name}/agent-token", None)
        machine.host_id, machine.token = host["id"], host["agent_token"]


def _wait_until_seen(world: World, api: Api) -> None:
    def seen() -> bool:
        world.check()
        return all(api.get(f"/hosts/{name}")["health"]["seen_at"] for name in world.machines)

    wait_for("hostfence to hear from every agent", seen, within_s=READY_WITHIN_S, every_s=0.25)


def _wait_until_ready(world: World, api: Api, tell: Teller) -> None:
    """The rule that an *off* counts only from a BMC that had read *on* while its host lived, and the quiet at start."""

    def proven() -> bool:
        world.check()
        return all(api.get(f"/hosts/{name}")["health"]["bmc_on_seen_at"] for name in world.machines)

    wait_for("hostfence to see each BMC say on while its host lives", proven, within_s=READY_WITHIN_S, every_s=0.5)
    tell.say("hostfence has seen each BMC say on while its host lived: only such a BMC's off will count later")

    def over() -> bool:
        world.check()
        return not api.get("/pauses", active=True)

    wait_for("the quiet after the controller's start to be over", over, within_s=READY_WITHIN_S, every_s=0.5)
    quiet = TIMES_EVERYWHERE["startup_quiet"]
    tell.say(f"the quiet after the controller's start ({quiet} s, a setting) is over: it may act now")
    if any(api.incidents(name) for name in world.machines):
        raise MissedError("nothing should have happened yet, but there are incidents already")
