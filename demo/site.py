"""The demo profile of ``docker-compose.yml``: the BMCs of its hosts, and what sets hostfence up for them.

``python -m demo.site bmcs`` answers IPMI for all three hosts. ``python -m demo.site setup`` writes inventory and
settings through the REST interface, leaves a join token for each host, arms, and ends once each could be fenced.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from demo.api import Api
from demo.bmc import DemoBmc
from demo.processes import DemoError, wait_for
from demo.times import TIMES, TIMES_EVERYWHERE

CLUSTER = "demo"
BMC_USER, BMC_PASSWORD = "admin", "demo-only"
TOLD = Path("/demo")
"""What the hosts are told: a token each, and the fingerprint of the agents' authority."""
HOSTS = {
    "kvm-a": (11, 6231, ("shop-db", "shop-web")),
    "kvm-b": (12, 6232, ("wiki",)),
    "kvm-c": (13, 6233, ("mail-relay",)),
}
"""host -> last part of its address, port of its BMC, machines"""
LOG = Path("/dev/stdout")
PATIENCE_S = 180.0


def main() -> int:
    """One of the two."""
    match sys.argv[1:]:
        case ["bmcs"]:
            asyncio.run(bmcs())
        case ["setup"]:
            try:
                set_up(os.environ.get("HOSTFENCE_NET", "172.30.64"))
            except DemoError as error:
                sys.exit(f"setup: {error}")
        case _:
            sys.exit("usage: python -m demo.site bmcs|setup")
    return 0


async def bmcs() -> None:
    """Until the container ends."""
    for name, (_, port, _) in HOSTS.items():
        anywhere = "0.0.0.0"  # noqa: S104 - in a container
        bmc = DemoBmc(user=BMC_USER, password=BMC_PASSWORD, name=name, address=anywhere, port=port, log=LOG)
        await bmc.start()
        print(f"the BMC of {name} listens at port {port}", flush=True)
    await asyncio.Event().wait()


def set_up(net: str) -> None:
    """Once; a second time it only waits."""
    api = Api("http://controller-1:8440", _token())
    if not any(one["name"] == CLUSTER for one in api.get("/clusters")):
        _inventory(api, net)
    for name in HOSTS:
        if not (TOLD / f"{name}.token").exists():
            made = api.post(f"/hosts/{name}/join-token", None)
            _tell("fingerprint", made["ca_fingerprint"])
            _tell(f"{name}.token", made["join_token"])
    wait_for("every agent to enrol and answer", lambda: _all(api, "seen_at"), within_s=PATIENCE_S, every_s=1)
    say("every agent has enrolled and answers over TLS")
    # Only now: a host that is watched this closely must be there.
    api.patch(f"/clusters/{CLUSTER}/settings", {"action": "off", **TIMES})
    for level in ("", f"/clusters/{CLUSTER}", *(f"/hosts/{name}" for name in HOSTS)):
        api.put(f"{level}/mode", {"mode": "enforce", "reason": "the demo shows a real fence"})
    wait_for("each BMC to say on", lambda: _all(api, "bmc_on_seen_at"), within_s=PATIENCE_S, every_s=1)
    wait_for("every host to be ready", lambda: _ready(api), within_s=PATIENCE_S, every_s=1)
    say("every host could be fenced now: docker compose kill kvm-a")


def _token() -> str:
    """An admin's, made past the REST interface as an administrator does, and kept for the next run."""
    kept = TOLD / "admin-token"
    if not kept.exists():
        command = ["hostfence-controller", "token", "create", "--name", "demo", "--role", "admin"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603, TID251 - own program, and there is no loop
        if done.returncode != 0:
            raise DemoError(done.stderr.strip())
        _tell(kept.name, done.stdout.strip(), mode=0o600)
    return kept.read_text(encoding="utf-8")


def _inventory(api: Api, net: str) -> None:
    mail = {"name": "operators", "kind": "email", "host": "mail", "port": 1025, "tls": "none"}
    mail |= {"sender": "hostfence@demo.example", "recipients": ["on-call@demo.example"]}
    api.patch("/settings", {**TIMES_EVERYWHERE, "channels": [mail]})
    api.post("/clusters", {"name": CLUSTER})
    driver = {"ipmi.driver": "ipmi", "ipmi.username": BMC_USER, "ipmi.password": BMC_PASSWORD}
    api.patch(f"/clusters/{CLUSTER}/settings", driver)
    api.post("/pools", {"name": "shared", "kind": "file", "root": "/mnt/shared", "cluster": CLUSTER})
    for name, (last, port, machines) in HOSTS.items():
        api.post("/hosts", {"cluster": CLUSTER, "name": name, "address": f"{net}.{last}"})
        api.patch(f"/hosts/{name}/settings", {"ipmi.host": f"{net}.20", "ipmi.port": port})
        disks = [{"name": vm, "disks": [{"path": f"/mnt/shared/{vm}.qcow2"}]} for vm in machines]
        api.put(f"/hosts/{name}/vms", disks)
    say(f"written: cluster {CLUSTER}, {len(HOSTS)} hosts with their machines, a pool, power devices, a mail channel")


def _all(api: Api, fact: str) -> bool:
    return all(api.get(f"/hosts/{name}")["health"][fact] for name in HOSTS)


def _ready(api: Api) -> bool:
    (cluster,) = [one for one in api.get("/readiness") if one["cluster_name"] == CLUSTER]
    return bool(cluster["ready"] == len(HOSTS))


def _tell(name: str, text: str, *, mode: int = 0o640) -> None:
    """Whole or not at all: the hosts look at any time."""
    partial = TOLD / f".{name}"
    partial.write_text(text, encoding="utf-8")
    partial.chmod(mode)
    partial.replace(TOLD / name)


def say(text: str) -> None:
    """A line of the container's log."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
