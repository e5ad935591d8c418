"""What is mounted where, from ``/proc/self/mountinfo``: reading it never touches the storage, so it never hangs."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_MOUNTINFO = "/proc/self/mountinfo"
_READ_AT_ONCE = 65536
_ESCAPE = re.compile(r"\\([0-7]{3})")
_ESCAPED = {" ": r"\040", "\t": r"\011", "\n": r"\012", "\\": r"\134"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system. ``options`` are those of the mount and of the file system together."""

    mount_id: int
    point: str
    fs_type: str
    options: str
    source: str = ""
    shows_its_own: bool = False
    """It shows a folder of the very file system that it lies on, as systemd makes one for ``ReadWritePaths=``."""

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


def read_mounts(source: str = _MOUNTINFO) -> Mapping[str, Mount]:
    """Every mount point with the mount that is on top there."""
    return _parsed(_content(source))


def mounts_at(point: str, source: str = _MOUNTINFO) -> list[Mount]:
    """All mounts at one point, the last one on top as a rule.

    For the small processes that look at one mount each: none of them keeps the whole table. In the namespace of a
    service a pool may be there twice, one of them below a folder that is covered; which one is seen says its id.
    """
    content = _content(source)
    needle = b" " + os.fsencode("".join(_ESCAPED.get(letter, letter) for letter in point)) + b" "
    found: list[Mount] = []
    at = content.find(needle)
    while at >= 0:
        begin, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
        mount = _parse(os.fsdecode(content[begin : None if end < 0 else end]))
        if mount.point == point:  # and not the folder of another file system that is mounted elsewhere
            found.append(mount)
        at = content.find(needle, len(content) if end < 0 else end)
    return found


def below(root: str, mounts: Mapping[str, Mount]) -> list[str]:
    """Mount points at or below ``root``, without automount triggers.

    Without ``root`` itself where only the sandbox of a service made it a mount: no pool was mounted there.
    """
    prefix = root.rstrip("/") + "/"
    return sorted(
        point
        for point, mount in mounts.items()
        if ((point == root and not mount.shows_its_own) or point.startswith(prefix)) and mount.fs_type != "autofs"
    )


def _content(source: str) -> bytes:
    """By bare calls: each process does it at every look, and a text file's machinery is half a megabyte in each."""
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(fd, _READ_AT_ONCE)]
        while parts[-1]:
            parts.append(os.read(fd, _READ_AT_ONCE))
    finally:
        os.close(fd)
    return b"".join(parts)


@lru_cache(maxsize=1)
def _parsed(content: bytes) -> Mapping[str, Mount]:
    """Kept while nothing is mounted or unmounted: hosts have hundreds."""
    lines = [line for line in os.fsdecode(content).split("\n") if line]
    where = {fields[0]: (fields[2], fields[4]) for fields in (line.split(" ", 5) for line in lines)}
    mounts: dict[str, Mount] = {}
    for line in lines:
        _, parent, device, _, point, _ = line.split(" ", 5)
        parents_device, parents_point = where.get(parent, ("", ""))
        # On top of what is mounted at the same point it may cover a pool, and shows that.
        mount = _parse(line, shows_its_own=device == parents_device and point != parents_point)
        mounts[mount.point] = mount
    return mounts


def _parse(line: str, *, shows_its_own: bool = False) -> Mount:
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    fs_type, source, super_options = [*right.split(" "), "", ""][:3]
    return Mount(
        mount_id=int(fields[0]),
        point=_unescape(fields[4]),
        fs_type=fs_type,
        options=_printable(f"{fields[5]},{super_options}"),
        source=_printable(_unescape(source)),
        shows_its_own=shows_its_own,
    )


def _printable(text: str) -> str:
    """Fit for JSON: bytes that are no text become question marks."""
    return text.encode(errors="replace").decode()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text) if "\\" in text else text
