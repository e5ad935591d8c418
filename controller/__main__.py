"""``hostfence-controller``: serve (API, engine, notifier in one process), and an administrator's database commands.

A user's mistake (configuration, a taken port, an unreachable database) is one clear line and exit code 2, never a stack
trace.
"""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from controller import descriptors, heap, logs
from controller.admin.connect import database
from controller.admin.errors import AdminError
from controller.admin.parser import add_to
from controller.admin.say import say
from controller.app import Deps, WebOptions, create_app
from controller.bootstrap import House, build
from controller.config import Config, ConfigError, encryption_keys, load_config
from controller.db import migrate
from controller.db.dump import DumpError
from controller.db.embedded_files import EmbeddedPostgresError
from controller.db.engine import DatabaseUrlError
from controller.db.secrecy import KeyMismatchError
from controller.db.store import StoreUnavailable
from controller.domain.model import Role
from controller.services import access

log = structlog.get_logger(__name__)

EXIT_USER = 2
SHUTDOWN_S = 20


class StartError(Exception):
    """The controller cannot start; the text says what to do."""


_MISTAKES = (
    *(AdminError, ConfigError, DatabaseUrlError, DumpError, EmbeddedPostgresError, StartError),
    *(KeyMismatchError, migrate.SchemaError),
)
"""What a person can mend: said in one line."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    given = _parser().parse_args(argv)
    logs.configure(as_json=given.log == "json")
    try:
        asyncio.run(given.run(given, load_config() if getattr(given, "needs_config", True) else None))
    except _MISTAKES as error:
        _fail(str(error))
    except StoreUnavailable as error:
        _fail(f"the database does not answer: {error}; check HOSTFENCE_DATABASE_URL and that the server runs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hostfence-controller", description="The hostfence controller.")
    parser.add_argument("--log", choices=("text", "json"), default="text", help="form of the log on standard error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the controller: API, engine and notifier")
    serve.set_defaults(run=_serve)
    add_to(commands)
    token = commands.add_parser("token", help="API tokens").add_subparsers(required=True, metavar="ACTION")
    create = token.add_parser("create", help="make a token and print it once")
    create.add_argument("--name", required=True)
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.set_defaults(run=_create_token)
    return parser


async def _serve(_given: argparse.Namespace, config: Config) -> None:
    files = descriptors.raise_limit()
    if files < descriptors.NEEDED:
        log.warning("few files may be open at once: raise the hard limit (LimitNOFILE, ulimit -Hn)", files=files)
    listening = _listen(config)
    keys = encryption_keys(config)
    async with database(config) as found:
        if found.embedded:
            await migrate.upgrade(found.url)
        elif await migrate.check(found.url):
            raise StartError("the database does not have this version's schema: run `hostfence-controller db upgrade`")
        house = build(config, url=found.url, keys=keys)
        try:
            await _run(house, config, listening)
        finally:
            await house.aclose()


async def _run(house: House, config: Config, listening: socket.socket) -> None:
    first = await access.ensure_first_admin(house.store, house.clock)
    base = f"http://{config.listen_host}:{listening.getsockname()[1]}"
    if first is not None:
        say(f"first admin token (shown only now): {first}")
    app = create_app(
        Deps(
            store=house.store,
            clock=house.clock,
            operations=house.operator,
            device_rules=house.device_rules,
            explainer=house.explainer,
            sights=house.world.sights,
            channels=house.channels,
            link_base=house.link_base,
            inspector=house.inspector,
            version=version("hostfence"),
            meter=house.meter,
            monitoring=house.monitoring,
            metrics_without_token=config.metrics_without_token,
        ),
        WebOptions(public_url=str(config.public_url or ""), frame_ancestors=config.frame_ancestors),
    )
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,  # its loggers end in ours
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )

    # uvicorn raises the signal that ended it once more, for the handler it found: by default the process would end
    # there, and the engine's steps with it.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, server.handle_exit)
    heap.settle()
    await house.supervisor.start()
    say(f"hostfence controller listening on {base}, web pages at {base}/ui/, API documentation at {base}/docs")
    try:
        await server.serve(sockets=[listening])
    finally:
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, signal.SIG_DFL)  # asked again it ends at once, which is safe at any instant
        await house.supervisor.stop()


class _Server(uvicorn.Server):
    """Ends the pages' streams first: the server waits for every answer, and they never end by themselves."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # type: ignore[explicit-override]  # from 3.12
        """Asked to end."""
        app = self.config.app
        assert isinstance(app, FastAPI)  # noqa: S101 - it was given
        app.state.pages.state.live.close()
        super().handle_exit(sig, frame)


async def _create_token(given: argparse.Namespace, config: Config) -> None:
    keys = encryption_keys(config)
    async with database(config, beside_a_controller=True) as found:
        house = build(config, url=found.url, keys=keys)
        try:
            _, secret = await access.create_token(
                house.store, house.clock, name=given.name, role=Role(given.role), actor="command line"
            )
        finally:
            await house.aclose()
    say(secret)


def _listen(config: Config) -> socket.socket:
    """Take the port before anything else is started: a second controller on one machine should say so at once."""
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.listen_host, config.listen_port))
    except OSError as error:
        listening.close()
        raise StartError(
            f"cannot listen on {config.listen_host}:{config.listen_port} ({error.strerror}): stop what uses it, or set "
            "HOSTFENCE_LISTEN_HOST and HOSTFENCE_LISTEN_PORT to a free address of this machine"
        ) from error
    return listening


def _fail(text: str) -> None:
    print(f"hostfence-controller: {text}", file=sys.stderr, flush=True)  # noqa: T201
    sys.exit(EXIT_USER)


if __name__ == "__main__":
    main()
