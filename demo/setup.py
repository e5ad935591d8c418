"""Sets the demo up as an administrator would: everything through the REST interface, shorter times through settings."""

from typing import Any

from demo.api import Api
from demo.machine import BMC_PASSWORD, BMC_USER
from demo.processes import MissedError, wait_for
from demo.tell import Teller
from demo.world import HEARTBEAT_S, World

CLUSTER = "demo"
READY_WITHIN_S = 90.0

TIMES: dict[str, Any] = {
    "watch_timeout": 8,
    "grace": 2,
    "check_interval": 5,
    "additional_checks": 3,
    "min_silence": 30,
    "checking_limit": 30,
    "off_reads": 3,
    "read_spacing": 1,
    "bmc_settle": 10,
    "healthy_for": 10,
}
"""For the cluster: shorter than the defaults, all within the ranges that hostfence accepts."""

TIMES_EVERYWHERE: dict[str, Any] = {"heartbeat_interval": HEARTBEAT_S, "startup_quiet": 10, "vanish_window": 5}


def set_up(world: World, api: Api, tell: Teller) -> None:
    """Inventory, settings, agents; returns when hostfence could fence any of the hosts."""
    _site(world, api)
    _hosts(world, api)
    tell.say("cluster, pool, hosts, VMs with their disks, BMCs, a mail channel: entered through the REST interface")
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


def _site(world: World, api: Api) -> None:
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
    api.post("/clusters", {"name": CLUSTER})
    device = {"ipmi.driver": "ipmi", "ipmi.username": BMC_USER, "ipmi.password": BMC_PASSWORD}
    api.patch(f"/clusters/{CLUSTER}/settings", device)
    api.post("/pools", {"name": "shared", "kind": "file", "root": str(world.pool), "cluster": CLUSTER})


def _hosts(world: World, api: Api) -> None:
    for machine in world.machines.values():
        body = {"cluster": CLUSTER, "name": machine.name, "address": machine.address, "agent_port": machine.port}
        made = api.post("/hosts", body)
        machine.host_id, machine.token = made["id"], made["agent_token"]
        vms = [
            {"name": guest.name, "external_id": f"vm-{guest.name}", "disks": [{"path": str(guest.disk)}]}
            for guest in machine.guests
        ]
        api.put(f"/hosts/{machine.name}/vms", vms)
        api.patch(f"/hosts/{machine.name}/settings", {"ipmi.host": machine.address, "ipmi.port": machine.bmc_port})


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
