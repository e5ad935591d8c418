"""Emulated machines with a network of their own: no root, no bridge, nothing of this machine's network is touched.

A machine's first card leads to this one only (its ports appear on loopback), the others each to one other machine, as
storage networks do. Without hardware help a machine is 10 to 20 times slower than this one.
"""

import json
import socket
import subprocess
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.agents import REPOSITORY, eventually, free_port
from tests.nfs.guest.control import PORT as CONTROL_PORT

AGENT_PORT = 8441
UP_WITHIN_S = 180.0
_PACKAGES = ("probe_agent", "shared")


@dataclass(frozen=True)
class Cable:
    """One end of a cable between two machines. The side that listens is started first."""

    path: Path
    address: str
    listens: bool = False


@dataclass
class Guest:
    """One machine."""

    name: str
    image: Path
    folder: Path
    cables: Sequence[Cable]
    disks: Sequence[Path] = ()
    agent_port: int = field(default_factory=free_port)
    control_port: int = field(default_factory=free_port)

    def start(self) -> None:
        """Switch it on, without waiting."""
        # It must not outlive this process, however that ends; what runs here beside it goes first.
        command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *self._arguments()]
        with (self.folder / f"{self.name}.qemu").open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_up(self) -> None:
        eventually(self._is_up, UP_WITHIN_S)

    def sh(self, script: str, *, within_s: float = 120.0) -> str:
        """Run a shell script there; a failure says what it printed."""
        answer = self._ask("sh", script, within_s)
        assert answer["status"] == 0, f"{self.name}: {script}: {answer}"
        return str(answer["out"]).strip()

    def mtime_ns(self, path: str) -> int:
        """As `os.stat` says there: whatever that machine believes."""
        return int(self._ask("stat", path, 120.0)["mtime_ns"])

    def freeze(self) -> None:
        """It stops where it is: for its peers its power is gone."""
        self._monitor("stop")

    def thaw(self) -> None:
        self._monitor("cont")

    def plug(self, card: int, *, on: bool) -> None:
        """Pull or plug the cable with this number."""
        self._monitor("set_link", name=f"cable{card}", up=on)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _arguments(self) -> list[str]:
        forwards = [(self.control_port, CONTROL_PORT), (self.agent_port, AGENT_PORT)]
        towards_us = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-10.0.2.15:{theirs}" for ours, theirs in forwards)
        addresses = ",".join(["10.0.2.15/24", *(cable.address for cable in self.cables)])
        about = f"guest.name={self.name} guest.net={addresses}"
        return [
            *("-accel", "tcg", "-cpu", "qemu64,+rdrand", "-m", "512", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-display", "none", "-serial", f"file:{self.folder / self.name}.console"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd.gz")),
            *("-append", f"console=ttyS0 quiet panic=-1 net.ifnames=0 random.trust_cpu=on {about}"),
            *("-drive", f"file={self.image / 'root.img'},if=virtio,format=raw,snapshot=on"),
            *("-drive", f"file={self._payload()},if=virtio,format=raw,readonly=on"),
            *(part for disk in self.disks for part in ("-drive", f"file={disk},if=virtio,format=raw,cache=unsafe")),
            *("-netdev", f"user,id=us,restrict=on{towards_us}", "-device", "virtio-net-pci,netdev=us"),
            *(part for number, cable in enumerate(self.cables) for part in self._card(number, cable)),
            *("-qmp", f"unix:{self._monitor_path},server=on,wait=off"),
        ]

    def _card(self, number: int, cable: Cable) -> list[str]:
        server = "on" if cable.listens else "off"
        mac = f"52:54:00:77:{number:02x}:{sum(self.name.encode()) % 256:02x}"
        return [
            *("-netdev", f"stream,id=cable{number},server={server},addr.type=unix,addr.path={cable.path}"),
            *("-device", f"virtio-net-pci,netdev=cable{number},mac={mac}"),
        ]

    def _payload(self) -> Path:
        """Our own code as it is now, and what the machine runs first."""
        path = self.folder / f"{self.name}.tar"
        with tarfile.open(path, "w") as tar:
            tar.add(Path(__file__).parent / "guest", "guest", filter=_plain)
            for package in _PACKAGES:
                tar.add(REPOSITORY / package, f"hostfence/{package}", filter=_plain)
        return path

    @property
    def _monitor_path(self) -> Path:
        return self.folder / f"{self.name}.qmp"

    def _monitor(self, command: str, **arguments: Any) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._monitor_path))
            with connection.makefile("rw") as stream:
                stream.readline()  # its greeting
                for question in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    stream.write(json.dumps(question) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        assert "error" not in answer, answer

    def _is_up(self) -> bool:
        assert self.process.poll() is None, (self.folder / f"{self.name}.qemu").read_text()
        try:
            return self.sh("true", within_s=2) == ""
        except httpx.TransportError:
            time.sleep(0.2)
            return False

    def _ask(self, path: str, text: str, within_s: float) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.control_port}/{path}"
        answer: dict[str, Any] = httpx.post(url, content=text, timeout=within_s, trust_env=False).json()
        return answer


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in member.name:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
