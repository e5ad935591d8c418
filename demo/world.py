"""The demo's machines and servers: everything that is started, in one folder, and how it ends."""

import contextlib
import itertools
import random
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo.cloudstack import Cloud, HostPlan, make_cloud
from demo.machine import BMC_USER, Guest, Machine
from demo.processes import PYTHON, Child, DemoError, start
from demo.tell import Teller
from demo.times import HEARTBEAT_S

CONTROLLER_STARTS_WITHIN_S = 90.0
CONTROLLER_STOPS_WITHIN_S = 20.0
_GUESTS = {"kvm-a": {"shop-db": True, "shop-web": False}, "kvm-b": {"wiki": False}, "kvm-c": {"mail-relay": True}}
"""host -> VM -> whether it writes."""


@dataclass(slots=True, kw_only=True)
class World:
    """What runs. Use :func:`made_world`."""

    folder: Path
    tell: Teller
    cloud: Cloud = field(default_factory=make_cloud)
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

    def start_cloud(self) -> None:
        """CloudStack, which knows the hosts, their VMs with the disks, and the addresses of their BMCs."""
        plans = [
            HostPlan(
                name=machine.name,
                address=machine.address,
                bmc_port=machine.bmc_port,
                bmc_user=BMC_USER,
                disks={guest.name: guest.disk for guest in machine.guests},
            )
            for machine in self.machines.values()
        ]
        self.cloud.build(plans, self.pool)
        self.cloud.start()

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

    def follow_cloud(self) -> None:
        """Tell what changed in CloudStack's own view, and let its agents do on the hosts what it told them."""
        for text in self.cloud.look():
            self.tell.say(f"CloudStack: {text}", style="cloud")
        for name, hosts in self.cloud.placed().items():
            for machine in self.machines.values():
                if machine.name in hosts and not machine.runs(name):
                    machine.start_guest(self._guest(name))
                elif machine.name not in hosts and machine.runs(name):
                    machine.kill(name)

    def disks_in_use(self) -> list[str]:
        """VMs that found their disk in use by another copy when they were started."""
        names = [guest.name for machine in self.machines.values() for guest in machine.guests]
        logs = [(name, log) for name in names for log in self.folder.glob(f"*/{name}.log")]
        return [name for name, log in logs if "in use" in log.read_text(errors="replace")]

    def check(self) -> None:
        """Follow CloudStack; raise when something ended by itself."""
        self.follow_cloud()
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
        self.cloud.close()
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
        env = {
            "DATA_DIR": str(self.folder / "data"),
            "LISTEN_PORT": str(port),
            "LAB_ALLOW_LOOPBACK_BMC": "true",
            **self.cloud.env(),
        }
        return start(
            "controller",
            [PYTHON, "-m", "controller", "serve"],
            log=self.folder / "controller.log",
            env={f"HOSTFENCE_{name}": text for name, text in env.items()},
        )

    def _guest(self, name: str) -> Guest:
        return next(guest for machine in self.machines.values() for guest in machine.guests if guest.name == name)


@contextlib.contextmanager
def made_world(tell: Teller) -> Iterator[World]:
    """A world in a fresh temporary folder; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hostfence-demo-"))
    folder.chmod(0o711)  # root's PostgreSQL runs under another account, which must pass through
    world = World(folder=folder, tell=tell)
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
