"""What is mounted where, from ``/proc/self/mountinfo``: reading it never touches the storage, so it never hangs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system. ``options`` are those of the mount and of the file system together."""

    mount_id: int
    point: str
    fs_type: str
    options: str
    source: str = ""

    @property
    def refused_because(self) -> str:
        """Why nothing read through this mount may count; empty when it may.

        A ``softerr`` NFS mount was measured to answer with success and an old mtime while its server was gone. What
        does it is ``softreval``, which ``softerr`` brings along and which can be given alone.
        """
        if self.fs_type.startswith("nfs"):
            for option in ("softerr", "softreval"):
                if option in self.options.split(","):
                    return f"mounted with {option}, which answers from old memory when its server is gone"
        return ""


def read_mounts(source: Path = _MOUNTINFO) -> Mapping[str, Mount]:
    """Every mount point with the mount that is on top there."""
    return _read(source.read_text(encoding="utf-8", errors="surrogateescape"))


@lru_cache(maxsize=1)
def _read(text: str) -> Mapping[str, Mount]:
    """Kept while nothing is mounted or unmounted: each process reads it at every look, and hosts have hundreds."""
    return {mount.point: mount for mount in map(_parse, text.splitlines())}


def below(root: str, mounts: Mapping[str, Mount]) -> list[str]:
    """Mount points at or below ``root``, without automount triggers."""
    prefix = root.rstrip("/") + "/"
    return sorted(
        point
        for point, mount in mounts.items()
        if (point == root or point.startswith(prefix)) and mount.fs_type != "autofs"
    )


def _parse(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    fs_type, source, super_options = [*right.split(" "), "", ""][:3]
    return Mount(
        mount_id=int(fields[0]),
        point=_unescape(fields[4]),
        fs_type=fs_type,
        options=_printable(f"{fields[5]},{super_options}"),
        source=_printable(_unescape(source)),
    )


def _printable(text: str) -> str:
    """Fit for JSON: bytes that are no text become question marks."""
    return text.encode(errors="replace").decode()


def _unescape(text: str) -> str:
    for escape, plain in _ESCAPES.items():
        text = text.replace(escape, plain)
    return text
