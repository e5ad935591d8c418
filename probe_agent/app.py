"""Putting the HTTP service together, and running it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from probe_agent.boot import read_boot_id
from probe_agent.config import AgentConfig
from probe_agent.connections import ACCEPTED_AT_ONCE, Connection
from probe_agent.errors import AgentError
from probe_agent.nursery import Nursery
from probe_agent.recollection import Recollection
from probe_agent.routes import Gate, make_routes
from probe_agent.runner import Runner
from probe_agent.sampler import Sampler
from probe_agent.server import SleepyServer
from probe_agent.service import Service
from probe_agent.targets import Roots
from probe_agent.tls import Credentials, credentials
from shared.protocol import AgentProblem

_GRACEFUL_S = 2
_RENEWED_EVERY_S = 5.0
"""How often is looked for a renewed certificate: one stat of a local file."""
_NOT_STARTED = 3
"""uvicorn has said why: the port is taken, for instance."""


def make_app(config: AgentConfig, trust: Credentials | None = None, nursery: Nursery | None = None) -> Starlette:
    """The service of one host; it watches the pools while it runs. ``trust``: its certificate, where it has one."""
    boot_id = read_boot_id(config.lab_boot_id)
    roots = Roots(config.pools, config.allowed_roots)
    runner = Runner(
        plain_folders=config.lab_plain_folders,
        patience_s=config.patience,
        probe_settings=config.probe_settings,
        nursery=nursery,
    )
    sampler = Sampler(
        runner,
        roots,
        host_id=config.host_id,
        boot_id=boot_id,
        interval_s=config.sample_interval,
        recollection=Recollection(config.memory_folder),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sampler.run())]
        if trust is not None:
            tasks.append(asyncio.create_task(_keep_fresh(trust)))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await runner.close()

    service = Service(config.host_id, boot_id, roots, runner, sampler, trust.asking if trust else None)
    return Starlette(
        routes=make_routes(service, Gate(config.token)),
        exception_handlers={AgentError: _agent_problem, HTTPException: _http_problem},
        lifespan=lifespan,
    )


def run(config: AgentConfig, nursery: Nursery) -> None:
    """Serve until told to stop; a mount that hangs delays nothing."""
    trust = credentials(config)
    settings = uvicorn.Config(
        make_app(config, trust, nursery),
        host=config.listen,
        port=config.port,
        http=Connection,
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACEFUL_S,
    )
    settings.load()
    settings.ssl = trust.serving if trust else None  # uvicorn would make one that nobody can renew
    server = SleepyServer(settings)
    server.run()
    if not server.started:
        raise SystemExit(_NOT_STARTED)


async def _keep_fresh(trust: Credentials) -> None:
    while True:
        await asyncio.sleep(_RENEWED_EVERY_S)
        trust.refresh()


async def _agent_problem(_: HttpRequest, error: Exception) -> Response:
    if not isinstance(error, AgentError):  # never registered for another
        raise error
    problem = _problem(error.status, error.code, error.title, str(error))
    if error.hangs_up:
        problem.headers["Connection"] = "close"
    return problem


async def _http_problem(_: HttpRequest, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # never registered for another
        raise error
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return _problem(error.status_code, code, str(error.detail), "")


def _problem(status: int, code: str, title: str, detail: str) -> Response:
    problem = AgentProblem(title=title, status=status, detail=detail, code=code)
    return Response(problem.model_dump_json(), status_code=status, media_type="application/problem+json")
