"""One demo host: its "kernel", its probe agent (two processes), its VMs, its BMC; and the ways in which it can fail.

All of it but the BMC is one process group: that is what the BMC's *off* really kills.
"""

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.blackhole import BlackHole
from demo.processes import PYTHON, REPOSITORY, Child, DemoError, kill_group, members, start

BMC_USER, BMC_PASSWORD = "fencing", "demo-only"
SAMPLE_INTERVAL_S = 0.5
GUEST = REPOSITORY / "demo" / "guest.py"


@dataclass(frozen=True, slots=True)
class Guest:
    """A VM: its name, its disk, and whether it writes."""

    name: str
    disk: Path
    busy: bool


@dataclass(slots=True, kw_only=True)
class Machine:
    """One host. ``host_id`` and ``token`` come from the controller."""

    name: str
    folder: Path
    pool: Path
    address: str
    port: int
    heartbeat_s: float
    guests: list[Guest]
    host_id: str = ""
    token: str = field(default="", repr=False)
    bmc: Child | None = None
    bmc_port: int = 0
    boots: int = 0
    _kernel: Child | None = None
    _running: dict[str, Child] = field(default_factory=dict)
    _hole: BlackHole | None = None

    @property
    def group(self) -> int:
        """The process group of all that runs on this host."""
        assert self._kernel is not None  # noqa: S101 - power_up comes first
        return self._kernel.popen.pid

    @property
    def bmc_log(self) -> Path:
        """What its BMC was told, as JSON lines."""
        return self.folder / "bmc.jsonl"

    def power_up(self) -> None:
        """The kernel, the BMC beside it, the VMs. The agent follows once the controller has given its token."""
        self.folder.mkdir()
        self._boot_kernel()
        password = self.folder / "bmc-password"
        password.write_text(BMC_PASSWORD)
        command = [PYTHON, "-m", "demo.chassis", "--name", f"bmc of {self.name}", "--address", self.address]
        command += ["--user", BMC_USER, "--password-file", str(password), "--log", str(self.bmc_log)]
        command += ["--host-group", str(self.folder / "group")]
        self.bmc = start(f"BMC of {self.name}", command, log=self.folder / "bmc.log")
        for guest in self.guests:
            self.start_guest(guest)

    def bmc_ready(self) -> None:
        """Wait until the BMC listens, and learn its port."""
        assert self.bmc is not None  # noqa: S101 - power_up comes first
        self.bmc_port = int(self.bmc.said(r"listens on \S+:(\d+)", within_s=20))

    def start_guest(self, guest: Guest) -> Child:
        """Start a VM here."""
        habit = "busy" if guest.busy else "idle"
        return self._start(guest.name, [PYTHON, "-I", "-S", str(GUEST), "vm", habit, str(guest.disk)])

    def prepare_pool(self) -> None:
        """What an administrator does once a pool."""
        child = self._agent("prepare-pool", "--uid", str(os.getuid()), str(self.pool))
        if self._running.pop("prepare-pool").popen.wait(30):
            raise DemoError(f"{child.name} failed: {child.tail(3)}")

    def start_heartbeat(self) -> None:
        """The small program that says *I live* on the shared storage."""
        self._agent("heartbeat")

    def start_agent(self) -> None:
        """The agent's HTTP service."""
        self._agent("serve")

    def kill(self, name: str) -> None:
        """Kill one of its processes by name."""
        self._running.pop(name).kill()

    def lose_power(self) -> None:
        """Everything stops without a word and nobody answers at its address; the power stays on, as in a hung host."""
        for name in list(self._running):
            self.kill(name)
        self._hole = BlackHole(self.address, self.port)

    def boot(self) -> None:
        """It has power again: another kernel, and its probe agent; VMs are CloudStack's to start."""
        if self._hole is not None:
            self._hole.close()
            self._hole = None
        if self._kernel is not None:
            self._kernel.kill()
        self._boot_kernel()
        self.start_heartbeat()
        self.start_agent()

    def runs(self, name: str) -> bool:
        """Whether the VM was started here and not killed since."""
        return name in self._running

    def pid(self, name: str) -> int:
        """Of a VM's process that runs here; 0 where none does."""
        child = self._running.get(name)
        return child.popen.pid if child is not None and child.running else 0

    def living(self) -> list[int]:
        """Process ids of what runs on it, the kernel included."""
        return members(self.group)

    def bmc_entries(self) -> list[dict[str, Any]]:
        """The BMC's own log."""
        if not self.bmc_log.exists():
            return []
        return [json.loads(line) for line in self.bmc_log.read_text(encoding="utf-8").splitlines()]

    def ended(self) -> list[Child]:
        """Processes that ended although nobody killed them here."""
        bmc = [self.bmc] if self.bmc is not None else []
        return [child for child in (*bmc, *self._running.values()) if not child.running]

    def close(self) -> None:
        """End everything of it."""
        if self._hole is not None:
            self._hole.close()
        if self._kernel is not None:
            kill_group(self.group)
        for child in (self._kernel, self.bmc, *self._running.values()):
            if child is not None:
                child.kill()

    def _boot_kernel(self) -> None:
        self.boots += 1
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self._kernel = start(f"{self.name} kernel", [PYTHON, GUEST, "kernel"], log=self.folder / "kernel.log")
        (self.folder / "group").write_text(f"{self.group}\n")

    def _agent(self, command: str, *arguments: str) -> Child:
        settings = {
            "HOST_ID": self.host_id or str(uuid.UUID(int=0)),
            "TOKEN": self.token,
            "LISTEN": self.address,
            "PORT": str(self.port),
            "POOLS": str(self.pool),
            "ALLOWED_ROOTS": str(self.pool),
            "HEARTBEAT_INTERVAL": str(self.heartbeat_s),
            "SAMPLE_INTERVAL": str(SAMPLE_INTERVAL_S),
            "LAB_BOOT_ID": str(self.folder / "boot_id"),
            "LAB_PLAIN_FOLDERS": "1",
        }
        env = {f"HOSTFENCE_AGENT_{name}": text for name, text in settings.items()}
        return self._start(command, [PYTHON, "-m", "probe_agent", command, *arguments], env=env)

    def _start(self, name: str, command: list[str], *, env: dict[str, str] | None = None) -> Child:
        child = start(f"{self.name} {name}", command, log=self.folder / f"{name}.log", env=env, group=self.group)
        self._running[name] = child
        return child
