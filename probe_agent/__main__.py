"""``hostfence-agent``: serve, heartbeat, prepare-pool, enroll, renew."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from probe_agent import __version__
from probe_agent.config import PREFIX, AgentConfig, ConfigError, load
from probe_agent.pools import pool_roots
from probe_agent.prepare import prepare_pools

_log = logging.getLogger(__name__)
_BAD_CONFIG = 78
"""EX_CONFIG of sysexits.h: starting again without a change is of no use."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        if arguments.command == "enroll":
            return _enroll(arguments)
        needs_host = arguments.command != "prepare-pool"
        config, warnings = load(os.environ, arguments.config, needs_host=needs_host)
        for warning in warnings:
            _log.warning(warning)
        return _run(arguments, config)
    except ConfigError as error:
        return _fail(error, _BAD_CONFIG)
    except OSError as error:
        return _fail(error, 1)


def _run(arguments: argparse.Namespace, config: AgentConfig) -> int:
    # Each command imports what is its own only: every page is in several processes, or copied for them.
    if arguments.command == "heartbeat":
        from probe_agent import heartbeat  # noqa: PLC0415

        heartbeat.run(config)
        return 0
    if arguments.command == "prepare-pool":
        return _prepare(arguments, config)
    if arguments.command == "renew":
        return _renew(arguments, config)
    if not config.token:
        raise ConfigError(f"{PREFIX}TOKEN_FILE is not set: serve needs this host's token")
    from probe_agent.nursery import Nursery  # noqa: PLC0415

    nursery = Nursery()  # forked off while this process is small
    from probe_agent.app import run  # noqa: PLC0415

    run(config, nursery)
    return 0


def _prepare(arguments: argparse.Namespace, config: AgentConfig) -> int:
    roots = [os.path.normpath(path) for path in arguments.paths]
    errors = prepare_pools(
        roots or pool_roots(config.pools, config.allowed_roots),
        uid=config.uid if arguments.uid is None else arguments.uid,
        plain_folders=config.lab_plain_folders,
    )
    for error in errors:
        _fail(error, 1)
    return 1 if errors else 0


def _enroll(arguments: argparse.Namespace) -> int:
    from probe_agent import enroll  # noqa: PLC0415  the heartbeat shall stay small
    from probe_agent.identity import CredentialsError  # noqa: PLC0415

    joining = enroll.Joining(
        controller=arguments.controller,
        token=(arguments.token or sys.stdin.readline()).strip(),
        config=arguments.config or enroll.DEFAULT_CONFIG,
        ca_fingerprint=arguments.ca_fingerprint,
        controller_ca=arguments.controller_ca,
        allow_http=arguments.allow_http,
    )
    try:
        answer = enroll.enroll(joining)
    except CredentialsError as error:
        return _fail(error, 1)
    sys.stdout.write(
        f"enrolled as {answer.host_name} ({answer.host_id}), settings in {joining.config}\n"
        f"the authority's fingerprint is {enroll.fingerprint(answer.ca_certificate)}\n"
        "restart the agent now: the controller asks it over TLS only from here on\n"
    )
    return 0


def _renew(arguments: argparse.Namespace, config: AgentConfig) -> int:
    from probe_agent import renew  # noqa: PLC0415  the heartbeat shall stay small
    from probe_agent.identity import CredentialsError  # noqa: PLC0415

    try:
        outcome = renew.renew(config, force=arguments.force)
    except CredentialsError as error:
        return _fail(error, 1)
    done = "renewed: the certificate is" if outcome.renewed else "nothing to do yet: the certificate is"
    ends = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(outcome.life.ends))
    sys.stdout.write(f"{done} good until {ends} UTC\n")
    return 0


def _fail(error: object, status: int) -> int:
    sys.stderr.write(f"hostfence-agent: {error}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hostfence-agent", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"file with lines {PREFIX}NAME=value")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="answer controllers and watch the neighbors' heartbeats")
    commands.add_parser("heartbeat", help="write this host's heartbeat on every pool")
    prepare = commands.add_parser("prepare-pool", help="make the heartbeat folder (root, once)")
    prepare.add_argument("paths", nargs="*", metavar="PATH", help="default: the configured pools")
    prepare.add_argument("--uid", type=int, help=f"default: {PREFIX}UID, the same on all hosts")
    join = commands.add_parser("enroll", help="get this host's certificate and secret from the controller")
    join.add_argument("--controller", required=True, metavar="URL", help="such as https://hostfence.example.org")
    join.add_argument("--token", help="the join token; left out, it is read from standard input")
    join.add_argument("--ca-fingerprint", default="", metavar="SHA256", help="as shown with the join token")
    join.add_argument("--controller-ca", type=Path, metavar="FILE", help="authorities to trust for the URL (PEM)")
    join.add_argument("--allow-http", action="store_true", help="send the join token in plain text (laboratories)")
    renew = commands.add_parser("renew", help="get this host's next certificate, when a third of its life is left")
    renew.add_argument("--force", action="store_true", help="now, however long the present one lasts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
