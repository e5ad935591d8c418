"""The pages of a large site, and bare answers of the same bytes, each in a process of its own.

``python -m tests.bench.web_site pages DATABASE_URL HOSTS CLUSTERS ROUNDS`` puts the site's rows into a migrated
database and serves the pages; ``python -m tests.bench.web_site bare FOLDER`` serves that folder's files from memory,
with the pages' own compression. Each says one line of JSON once it serves, and ends with its standard input.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from controller.domain.incident import State
from controller.domain.model import Level, Role
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.web import a_story
from tests.web.site import Site, a_site

OPEN = 10
"""Incidents open at once, besides the one that has been held for a day."""
STORY = "i1"


@dataclass(frozen=True, slots=True)
class Serving:
    """One of the two processes."""

    process: asyncio.subprocess.Process
    said: dict[str, str]

    @property
    def port(self) -> int:
        return int(self.said["url"].rpartition(":")[2])


@asynccontextmanager
async def serving(*words: str) -> AsyncIterator[Serving]:
    """Started, and ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"{words[0]}: the process ended before it served")
        yield Serving(process, json.loads(line))
    finally:
        process.stdin.close()
        await process.wait()


async def _pages(database_url: str, hosts: int, clusters: int, rounds: int) -> None:
    async with a_site(database_url) as site:
        await _furnish(site, hosts, clusters, rounds)
        await _until_told({"url": site.url, "token": site.tokens[Role.OPERATOR]})


async def _furnish(site: Site, hosts: int, clusters: int, rounds: int) -> None:
    """Names of the usual length, every host healthy for hours but those of an incident, five in maintenance."""
    now = await site.now()
    silent = {f"h{number * hosts // (OPEN + 1)}" for number in range(1, OPEN + 1)} | {"h1"}
    async with site.store.transaction() as tx:
        for number in range(1, clusters + 1):
            await tx.save_cluster(a.cluster(f"c{number}", name=f"zone1-pod{number:02}-kvm"))
        for number in range(1, hosts + 1):
            host_id, cluster = f"h{number}", (number - 1) * clusters // hosts + 1
            address = f"10.{cluster}.{number // 250}.{number % 250 + 1}"
            name = f"kvm-{cluster:02}-{number:04}.dc1.example.org"
            made = a.host(host_id, cluster_id=f"c{cluster}", name=name, address=address)
            await tx.save_host(replace(made, maintenance=number % 200 == 7))
            await tx.save_health(
                a.health(host_id, seen_at=now, healthy_since=now - timedelta(hours=5, minutes=number), boot_id="b1")
            )
    for number in range(1, hosts + 1):
        if f"h{number}" not in silent:
            site.answers(f"h{number}", at=now)
    await site.settings(mode="enforce", action="off")
    for number in range(1, clusters + 1):
        await site.settings(Level.CLUSTER, f"c{number}", mode="enforce")
    for number, host_id in enumerate(sorted(silent - {"h1"})):
        held = number % 2 == 0
        await site.add_incident(
            f"open-{host_id}",
            host_id=host_id,
            cluster_id=f"c{(int(host_id[1:]) - 1) * clusters // hosts + 1}",
            state=State.HELD if held else State.CHECKING,
            reasons=(Reason.TOO_FEW_WITNESSES, Reason.STORAGE_UNREADABLE) if held else (),
        )
    await a_story.held_for_a_day(now, STORY, rounds=rounds).store(site)
    async with site.store._engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")


async def _bare(folder: Path) -> None:
    bodies = {path.name: path.read_bytes() for path in folder.iterdir()}

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(bodies[request.path_params["name"]])

    app = Starlette(
        routes=[Route("/{name}", answer)],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        task = asyncio.create_task(server._serve(sockets=[listening]))
        await _until_told({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        server.should_exit = True
        await task


async def _until_told(said: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    match sys.argv[1:]:
        case ["pages", url, hosts, clusters, rounds]:
            asyncio.run(_pages(url, int(hosts), int(clusters), int(rounds)))
        case ["bare", folder]:
            asyncio.run(_bare(Path(folder)))
        case words:
            raise SystemExit(f"unknown words: {words}")


if __name__ == "__main__":
    main()
