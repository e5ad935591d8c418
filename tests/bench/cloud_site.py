"""A large CloudStack in a process of its own: the double of the tests, served on a socket.

``python -m tests.bench.cloud_site HOSTS VMS`` says its address in one line, then answers a line of JSON for each
line of words on standard input, until that ends:

* ``asked``: the requests since it was last said, as ``[command, params]``;
* ``move N``: N machines run on another host of their cluster from now on;
* ``halt HOST``: the host's machines are Stopped, as CloudStack shows them once it starts them elsewhere;
* ``cpu``: seconds of CPU of this process.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.cloudstack import CloudStackDouble
from tests.fakes.cloudstack.model import Host, Kind, OutOfBand, Pool
from tests.fakes.cloudstack.site import Site

HOSTS_A_CLUSTER = 20
PROJECTS, ROUTERS = 2, 2
"""So many of each host's machines are a project's, and so many are routers."""

DATA_DISKS = 5
"""Every so many machines have a second disk, on the zone's pool."""


@dataclass(slots=True)
class LargeSite:
    """The process and how to ask it."""

    process: asyncio.subprocess.Process
    url: str
    key: str
    secret: str
    lists: dict[str, int]
    """What it holds, by name."""

    async def ask(self, words: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{words}\n".encode())
        await self.process.stdin.drain()
        return json.loads(await self.process.stdout.readline())

    async def asked(self) -> list[tuple[str, dict[str, str]]]:
        """What was requested since the last call."""
        return [(command, params) for command, params in await self.ask("asked")]


@asynccontextmanager
async def large_site(hosts: int, vms: int) -> AsyncIterator[LargeSite]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.cloud_site",
        str(hosts),
        str(vms),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
        limit=64 << 20,  # a line names hundreds of requests
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield LargeSite(process, **json.loads(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


def furnish(site: Site, hosts: int, vms: int) -> None:
    """Clusters of twenty, each with an NFS pool of its own, and one for the whole zone."""
    zone = site.add_zone("zone1")
    pod, everywhere = site.add_pod("pod1", zone), site.add_pool("zone-wide", zone)
    each = vms // hosts
    for number in range(-(-hosts // HOSTS_A_CLUSTER)):
        places = range(min(HOSTS_A_CLUSTER, hosts - number * HOSTS_A_CLUSTER))
        cluster = site.add_cluster(f"cluster{number:03}", pod)
        pool = site.add_pool(f"primary{number:03}", cluster)
        for place in places:
            oob = OutOfBand(address=f"10.200.{number}.{place + 1}")
            host = site.add_host(f"kvm{number:03}-{place:02}", cluster, oob=oob)
            _load(site, host, each, pool, everywhere)


def _load(site: Site, host: Host, machines: int, pool: Pool, everywhere: Pool) -> None:
    for place in range(machines):
        router, project = place < ROUTERS, ROUTERS <= place < ROUTERS + PROJECTS
        pools = [pool] if place % DATA_DISKS else [pool, everywhere]
        site.add_vm(
            f"vm-{host.name}-{place:02}",
            host,
            pools,
            kind=Kind.ROUTER if router else Kind.USER,
            project="project1" if project else "",
        )


def main() -> int:
    double = CloudStackDouble()
    site = double.site
    furnish(site, int(sys.argv[1]), int(sys.argv[2]))
    lists = {"hosts": len(site.hosts), "vms": len(site.vms), "volumes": len(site.volumes), "pools": len(site.pools)}
    with double:
        _say({"url": double.url, "key": double.key, "secret": double.secret, "lists": lists})
        for line in sys.stdin:
            _say(_answer(double, line.split()))
    return 0


def _answer(double: CloudStackDouble, words: list[str]) -> Any:
    match words:
        case ["asked"]:
            asked, double.requests[:] = [(one.command, dict(one.params)) for one in double.requests], []
            return asked
        case ["move", count]:
            return _move(double.site, int(count))
        case ["halt", host]:
            vms = double.site.vms_of(double.site.host(host))
            for vm in vms:
                double.site.halt(vm.id)
            return len(vms)
        case ["cpu"]:
            return time.process_time()
        case _:
            raise ValueError(words)


def _move(site: Site, count: int) -> int:
    """From all over the site, each to the next host of its cluster."""
    neighbors: dict[str, list[Host]] = {}
    for host in site.hosts.values():
        neighbors.setdefault(host.cluster.id, []).append(host)
    placed = [vm for vm in site.vms.values() if vm.host is not None]
    for vm in placed[:: max(1, len(placed) // count)][:count]:
        assert vm.host is not None
        others = neighbors[vm.host.cluster.id]
        site.place(vm.id, others[(others.index(vm.host) + 1) % len(others)].id)
    return count


def _say(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
