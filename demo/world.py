"""The demo's machines and servers: everything that is started, in one folder, and how it ends."""

import contextlib
import itertools
import random
import secrets
import shlex
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo.machine import Guest, Machine
from demo.processes import PYTHON, REPOSITORY, Child, DemoError, start

HEARTBEAT_S = 1
CONTROLLER_STARTS_WITHIN_S = 90.0
CONTROLLER_STOPS_WITHIN_S = 20.0
_GUESTS = {"kvm-a": {"shop-db": True, "shop-web": False}, "kvm-b": {"wiki": False}, "kvm-c": {"mail-relay": True}}
"""host -> VM -> whether it writes."""


@dataclass(slots=True, kw_only=True)
class World:
    """What runs. Use :func:`made_world`."""

    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    mail: Child | None = None
    mail_port: int = 0
    controller: Child | None = None
    url: str = ""
    token: str = field(default="", repr=False)

    @property
    def pool(self) -> Path:
        """The "shared storage"."""
        return self.folder / "pool"

    @property
    def mails(self) -> Path:
        """Where caught mails are."""
        return self.folder / "mails"

    @property
    def told_orchestrator(self) -> Path:
        """What hostfence told the toy orchestrator, as JSON lines."""
        return self.folder / "orchestrator.jsonl"

    def start_servers(self) -> None:
        """The mail catcher, and the controller with its own PostgreSQL."""
        self.mail = start("mail catcher", [PYTHON, "-m", "demo.mail", str(self.mails)], log=self.folder / "mail.log")
        self.controller = self._controller()
        self.token = self.controller.said(r"admin token.*: (\S+)$", within_s=CONTROLLER_STARTS_WITHIN_S)
        self.controller.said(r"listening on (\S+),", within_s=CONTROLLER_STARTS_WITHIN_S)
        self.mail_port = int(self.mail.said(r"listens on \S+:(\d+)", within_s=20))

    def power_up(self) -> None:
        """Three hosts with their VMs and BMCs."""
        addresses, port = _free_addresses(3)
        for address, (name, guests) in zip(addresses, _GUESTS.items(), strict=True):
            self.machines[name] = Machine(
                name=name,
                folder=self.folder / name,
                pool=self.pool,
                address=address,
                port=port,
                heartbeat_s=HEARTBEAT_S,
                guests=[Guest(vm, self.pool / f"{vm}.qcow2", busy) for vm, busy in guests.items()],
            )
        for machine in self.machines.values():
            machine.power_up()
        for machine in self.machines.values():
            machine.bmc_ready()

    def check(self) -> None:
        """Raise when something ended by itself."""
        servers = [child for child in (self.mail, self.controller) if child is not None and not child.running]
        for child in (*servers, *(one for machine in self.machines.values() for one in machine.ended())):
            raise DemoError(f"{child.name} ended by itself (exit {child.popen.returncode}): {child.tail(5)}")

    def logs(self) -> list[tuple[str, str]]:
        """Names and last lines of the logs that say what went wrong."""
        children = [child for child in (self.controller, self.mail) if child is not None]
        tails = [(child.name, child.tail(25)) for child in children]
        for machine in self.machines.values():
            for name in ("serve", "heartbeat", "bmc"):
                path = machine.folder / f"{name}.log"
                text = path.read_text(errors="replace") if path.exists() else ""
                tails.append((f"{machine.name} {name}", "\n".join(text.splitlines()[-5:])))
        return [(name, text) for name, text in tails if text]

    def close(self) -> None:
        """End every process, remove every file."""
        if self.controller is not None:
            self.controller.end(CONTROLLER_STOPS_WITHIN_S)
        if self.mail is not None:
            self.mail.end(1)
        for machine in self.machines.values():
            machine.close()
        # As root in a folder that PostgreSQL's account cannot reach, the controller keeps its files elsewhere.
        database = self.folder / "data" / "postgres"
        if database.is_symlink():
            shutil.rmtree(database.resolve(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _controller(self) -> Child:
        port = _free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{port}"
        program = REPOSITORY / "demo" / "orchestrator.py"
        hook = shlex.join([PYTHON, "-I", "-S", str(program), str(self.told_orchestrator)])
        env = {
            "DATA_DIR": str(self.folder / "data"),
            "LISTEN_PORT": str(port),
            "STANDALONE_QUARANTINE": hook,
            "STANDALONE_UNQUARANTINE": hook,
            "STANDALONE_RELEASE": hook,
            "LAB_ALLOW_LOOPBACK_BMC": "true",
        }
        return start(
            "controller",
            [PYTHON, "-m", "controller", "serve"],
            log=self.folder / "controller.log",
            env={f"HOSTFENCE_{name}": text for name, text in env.items()},
        )


@contextlib.contextmanager
def made_world() -> Iterator[World]:
    """A world in a fresh temporary folder; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hostfence-demo-"))
    folder.chmod(0o711)  # root's PostgreSQL runs under another account, which must pass through
    world = World(folder=folder)
    try:
        world.pool.mkdir()
        world.mails.mkdir()
        yield world
    finally:
        world.close()


def _free_addresses(count: int) -> tuple[list[str], int]:
    """Loopback addresses of our own, and a port that is free on all of them."""
    chance = random.Random(secrets.randbits(64))  # noqa: S311 - nothing secret
    for _ in itertools.repeat(None, 50):
        net = f"127.{chance.randrange(64, 255)}.{chance.randrange(256)}"
        addresses = [f"{net}.{host}" for host in range(1, count + 1)]
        port = chance.randrange(10_000, 30_000)
        with contextlib.suppress(OSError):
            for address in addresses:
                with socket.socket() as probe:
                    probe.bind((address, port))
            return addresses, port
    raise DemoError("no free loopback addresses found")


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
