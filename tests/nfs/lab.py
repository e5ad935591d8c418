"""A storage server and two hosts with our agent, each a machine with a kernel of its own.

`witness` and `other` have a cable each to `server`, which exports a folder per pool. Attribute caches, delegations and
reconnecting are per client machine, so what one host sees of the other's writes is what a cluster would see.
"""

import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from shared.protocol import (
    SIGNATURE_HEADER,
    Answer,
    HeartbeatSight,
    PoolSight,
    ProbeAnswer,
    ProbeRequest,
    Request,
    WatchAnswer,
    WatchRequest,
    verify,
)
from tests.fixtures.agents import eventually
from tests.nfs.guests import AGENT_PORT, Cable, Guest

UID = 64841
POOLS = {
    "v4": "vers=4.2",
    "v3": "vers=3,nolock",
    "soft": "vers=4.2,soft,timeo=50,retrans=1",
    "softerr": "vers=4.2,softerr",
}
"""Folders of the server and how the hosts mount them, each below /mnt; all else as the kernel has it by default."""
ELSEWHERE = "/mnt/elsewhere"
"""A pool that has nothing to do with the server."""
A = TypeVar("A", bound=Answer)

_SERVER = """
modprobe nfsd
mkdir -p /srv/pool /srv/small /run/rpc_pipefs /var/lib/nfs/nfsdcld
mount /dev/vdc /srv/pool
mount /dev/vdd /srv/small
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
mkdir -p /srv/pool/v4 /srv/pool/v3 /srv/pool/soft /srv/pool/softerr
for folder in /srv/pool /srv/small; do
    echo "$folder *(rw,sync,no_root_squash,no_subtree_check)" >>/etc/exports
done
rpcbind
nfsdcld -p /run/rpc_pipefs/nfsd || nfsdcld
exportfs -ra
rpc.mountd
rpc.nfsd --no-udp 8
"""
_CLIENT = """
modprobe nfs
modprobe nfsv3
modprobe nfsv4
mkdir -p /mnt/elsewhere
mount -t tmpfs elsewhere /mnt/elsewhere
mkdir /run/memory
chown {uid}:{uid} /run/memory
"""
_AGENT = """
cd /opt/hostfence
export PYTHONPATH=/opt/hostfence PYTHONDONTWRITEBYTECODE=1
export {settings}
exec setsid setpriv --reuid {uid} --regid {uid} --clear-groups python3 -m probe_agent {command} \
    </dev/null >>/tmp/{command}.log 2>&1 &
echo $!
"""
_COUNTS = """
ls /proc/$(cat /run/serve.pid)/fd | wc -l
cat /proc/[0-9]*/status 2>/dev/null | awk '
    /^Name:/ {name = $2}
    /^State:/ {state = $2}
    /^Uid:/ && $2 == %d && state != "Z" {
        all++
        if (name ~ /^l[0-9a-f]+$/ && length(name) == 15 && ++on[substr(name, 1, 9)] > most) most++
    }
    END {print all, most}'
"""


@dataclass(frozen=True)
class Counts:
    """What the agent has open and running: `serve`'s descriptors, all processes, and lookers at one mount."""

    descriptors: int
    processes: int
    on_one_mount: int


@dataclass
class Host:
    """A KVM host: its machine and its agent, reached as a controller reaches it."""

    guest: Guest
    host_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    settings: dict[str, str] = field(default_factory=dict)

    def mount(self, server: str, name: str, options: str, folder: str = "/srv/pool/{name}") -> None:
        source = f"{server}:{folder.format(name=name)}"
        self.guest.sh(f"mkdir -p /mnt/{name} && mount -t nfs -o {options} {source} /mnt/{name}", within_s=300)

    def prepare(self, *pools: str) -> None:
        self.guest.sh(f"cd /opt/hostfence && python3 -m probe_agent prepare-pool {' '.join(pools)}")

    def start_heartbeat(self) -> None:
        self.guest.sh(f"({self._command('heartbeat')}) >/run/heartbeat.pid")

    def start_serve(self) -> None:
        self.guest.sh(f"({self._command('serve')}) >/run/serve.pid")
        eventually(self.answers, 180)

    def answers(self) -> bool:
        try:
            return self.health_took_s() >= 0
        except httpx.TransportError:
            return False

    def health_took_s(self) -> float:
        begun = time.monotonic()
        assert httpx.get(f"{self._url}/healthz", timeout=30, trust_env=False).is_success
        return time.monotonic() - begun

    def watch(self) -> dict[str, PoolSight]:
        """What it sees of all pools, by the mount's name."""
        request = WatchRequest(nonce=uuid.uuid4().hex, deadline_s=5)
        answer = self._post(WatchAnswer, "/v1/watch", request)
        return {pool.root.removeprefix("/mnt/"): pool for pool in answer.pools}

    def heartbeat_of(self, other: "Host", pool: str) -> HeartbeatSight | None:
        return self.watch()[pool].others.get(other.host_id)

    def probe(self, paths: Sequence[str], *, deadline_s: float = 5.0) -> ProbeAnswer:
        request = ProbeRequest(
            nonce=uuid.uuid4().hex, subject_host_id=self.host_id, paths=list(paths), deadline_s=deadline_s
        )
        return self._post(ProbeAnswer, "/v1/probes", request)

    def counts(self) -> Counts:
        return Counts(*map(int, self.guest.sh(_COUNTS % UID).split()))

    def record_of(self, host_id: str, pool: str) -> str:
        return f"/mnt/{pool}/.hostfence/{host_id}"

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.guest.agent_port}"

    def _post(self, model: type[A], path: str, request: Request) -> A:
        headers = {"Authorization": f"Bearer {self.token}"}
        body = request.model_dump_json()
        response = httpx.post(
            self._url + path, content=body, headers=headers, timeout=request.deadline_s + 30, trust_env=False
        )
        assert response.status_code == 200, response.text
        assert verify(self.token, request.nonce, response.content, response.headers[SIGNATURE_HEADER])
        return model.model_validate_json(response.content)

    def _command(self, command: str) -> str:
        settings = {
            "HOST_ID": self.host_id,
            "TOKEN": self.token,
            "PORT": str(AGENT_PORT),
            "MEMORY_FOLDER": "/run/memory",
            **self.settings,
        }
        exported = " ".join(f"HOSTFENCE_AGENT_{name}={text}" for name, text in settings.items())
        return _AGENT.format(settings=exported, uid=UID, command=command)


@dataclass
class Lab:
    """All of it, running."""

    server: Guest
    witness: Host
    other: Host

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.witness, self.other

    def address_for(self, host: Host) -> str:
        """Where this host's cable ends."""
        return f"10.77.{1 + self.hosts.index(host)}.1"


@contextmanager
def lab(image: Path, folder: Path, settings: dict[str, str]) -> Iterator[Lab]:
    """Start the machines, the exports, the mounts and both agents; a minute or two."""
    disks = [_disk(folder / "pool.disk", "256M"), _disk(folder / "small.disk", "16M")]
    cables = [folder / "cable1", folder / "cable2"]
    towards = [Cable(path, f"10.77.{number}.1/24", listens=True) for number, path in enumerate(cables, start=1)]
    server = Guest("server", image, folder, towards, disks)
    guests = [
        Guest(name, image, folder, [Cable(path, f"10.77.{number}.2/24")])
        for number, (name, path) in enumerate(zip(("witness", "other"), cables, strict=True), start=1)
    ]
    made = Lab(server, *(Host(guest, settings=settings) for guest in guests))
    started: list[Guest] = []
    try:
        server.start()
        started.append(server)
        eventually(lambda: all(path.exists() for path in cables), 30)
        for guest in guests:
            guest.start()
            started.append(guest)
        for guest in started:
            guest.wait_until_up()
        _set_up(made)
        yield made
    finally:
        for guest in started:
            guest.kill()


def _set_up(made: Lab) -> None:
    made.server.sh(_SERVER)
    for host in made.hosts:
        host.guest.sh(_CLIENT.format(uid=UID))
        for name, options in POOLS.items():
            host.mount(made.address_for(host), name, options)
        host.prepare()
    for host in made.hosts:
        host.start_heartbeat()
        host.start_serve()


def _disk(path: Path, size: str) -> Path:
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", str(path), size], check=True, capture_output=True)
    return path


__all__ = ["ELSEWHERE", "POOLS", "Any", "Counts", "Host", "Lab", "lab"]
