"""The ``rbd`` probe: images of a Ceph pool, through the JSON of Ceph's own ``rbd`` command.

An image that is open for writing has a watcher, however idle its guest is; it goes 25 s to a minute after its client
died. So a watcher says who holds the image, and none, read from a cluster that answered, that nobody does. Then
``rbd info`` is asked too, whose modification time moves at most once a minute. A cluster that does not answer makes
``rbd`` wait: at the deadline that is *unknown*, never *nobody* (rule 3).
"""

import errno
import json
import os
import re
import time
from calendar import timegm
from collections.abc import Mapping, Sequence
from typing import Any

from probe_agent.probes.base import Reading
from probe_agent.probes.commands import Commands, Finished
from shared.enums import ReadingCode, ReadingMethod

_TARGET = re.compile(r"rbd:(?P<pool>[^/@]+)(?:/(?P<namespace>[^/@]+))?/(?P<image>[^/@]+)")
_TEXTS = {"command", "conf", "user", "keyring"}
_DEFAULTS: dict[str, Any] = {"command": "rbd", "conf": "", "user": "hostfence", "keyring": "", "at_once": 4}
_MOST_AT_ONCE = 16
_TIME = "%a %b %d %H:%M:%S %Y"
_SECOND = 1_000_000_000
_INODES = 2**63
_CODES = {
    errno.ENOENT: ReadingCode.MISSING,
    errno.EIO: ReadingCode.IO_ERROR,
    errno.EACCES: ReadingCode.NOT_PERMITTED,
    errno.EINVAL: ReadingCode.BAD_PATH,
    errno.ESHUTDOWN: ReadingCode.NOT_PERMITTED,  # this client is on the cluster's blocklist
    errno.ETIMEDOUT: ReadingCode.TIMED_OUT,
}
"""By ``rbd``'s exit status, which is an error number; but 1 is anything, from no configuration to no cluster."""
_BAD = Reading(ReadingCode.BAD_PATH, "not of the form rbd:POOL/IMAGE or rbd:POOL/NAMESPACE/IMAGE")
_MAX_DETAIL = 200


class RbdProbe:
    """Reads watchers, size and modification time of images."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """``settings``: see docs/storage-probes.md.

        Raises:
            ValueError: naming the setting.
        """
        values = _checked(settings)
        self._base = [values["command"], "--id", values["user"]]
        for option in ("conf", "keyring"):
            if values[option]:
                self._base += [f"--{option}", values[option]]
        environment = {"PATH": f"{os.defpath}:/usr/local/bin", "LC_ALL": "C", "TZ": "UTC"}
        self._commands = Commands(at_once=values["at_once"], environment=environment)

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Sequence[Reading]:
        """Return one reading per ``rbd:POOL/IMAGE`` or ``rbd:POOL/NAMESPACE/IMAGE``."""
        del root, plain_folders
        if self._commands.stuck:
            return [Reading(ReadingCode.MOUNT_STUCK, "killed rbd commands have not ended yet")] * len(targets)
        readings = {target: _BAD for target in targets if not _TARGET.fullmatch(target)}
        images = [target for target in dict.fromkeys(targets) if target not in readings]
        for target, said in self._run("status", images, until):
            readings[target] = watchers_in(said)
        unheld = [target for target in images if readings[target].code is None and not readings[target].held_by]
        for target, said in self._run("info", unheld, until):
            readings[target] = image_in(said, looked_s=readings[target].took_s)
        return [readings[target] for target in targets]

    def _run(self, what: str, targets: Sequence[str], until: float) -> "zip[tuple[str, Finished]]":
        commands = [[*self._base, what, "--format", "json", *_naming(target)] for target in targets]
        try:
            done = self._commands.run(commands, until=until)
        except OSError as error:
            done = [Finished(127, err=f"{self._base[0]}: {error.strerror}")] * len(commands)
        return zip(targets, done, strict=True)


def watchers_in(said: Finished) -> Reading:
    """What ``rbd status`` said: who holds the image."""
    try:
        watchers = _json(said)["watchers"]
        holders = tuple(dict.fromkeys(_address(watcher["address"]) for watcher in watchers))
    except _NothingSeen as nothing:
        return nothing.reading
    except (LookupError, TypeError, ValueError) as error:
        return _malformed(said, error)
    return Reading(None, "", ReadingMethod.RBD_COMMAND, said.took_s, "rbd", held_by=holders)


def image_in(said: Finished, *, looked_s: float = 0.0) -> Reading:
    """What ``rbd info`` said of an image that nobody holds; ``looked_s`` is how long the look before it took."""
    took_s = looked_s + said.took_s
    try:
        info = _json(said)
        size = int(info["size"])
        inode = int(info["id"], 16) % _INODES  # as recreated under the same name it is another image
        changed = time.strptime(info["modify_timestamp"], _TIME)
    except _NothingSeen as nothing:
        return nothing.reading._replace(took_s=took_s)
    except (LookupError, TypeError, ValueError) as error:
        return _malformed(said, error)._replace(took_s=took_s)
    mtime_ns = timegm(changed) * _SECOND
    return Reading(None, "", ReadingMethod.RBD_COMMAND, took_s, "rbd", inode, size, 0, mtime_ns, mtime_ns)


class _NothingSeen(Exception):  # noqa: N818  carries a reading a few lines up
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.detail)
        self.reading = reading


def _json(said: Finished) -> dict[str, Any]:
    if said.status is None:
        detail = "no answer of the cluster before the deadline" if said.took_s else said.err
        raise _NothingSeen(Reading(ReadingCode.TIMED_OUT, detail, took_s=said.took_s))
    if said.status != 0:
        lines = [line for line in said.err.splitlines() if line.strip()]
        detail = f"exit {said.status}: {lines[-1] if lines else 'nothing said'}"[:_MAX_DETAIL]
        raise _NothingSeen(Reading(_CODES.get(said.status, ReadingCode.OTHER), detail, took_s=said.took_s))
    answer: object = json.loads(said.out)
    if not isinstance(answer, dict):
        raise TypeError("not an object")
    return answer


def _malformed(said: Finished, error: Exception) -> Reading:
    detail = f"rbd's answer is not understood: {type(error).__name__}: {error}"[:_MAX_DETAIL]
    return Reading(ReadingCode.MALFORMED, detail, took_s=said.took_s)


def _address(text: str) -> str:
    """The IP address of ``192.0.2.7:0/123`` or ``[2001:db8::7]:0/123``."""
    address = re.fullmatch(r"(?:v[12]:)?(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):\d+/\d+", text)
    if address is None:
        raise ValueError(f"address {text!r}")
    return address[1] or address[2]


def _naming(target: str) -> list[str]:
    match = _TARGET.fullmatch(target)
    names = match.groupdict() if match else {}
    return [f"--{option}={name}" for option, name in names.items() if name]


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(settings.keys() - _DEFAULTS.keys())
    if unknown:
        raise ValueError(f"rbd.{unknown[0]}: no such setting; there are {', '.join(_DEFAULTS)}")
    values = {**_DEFAULTS, **settings}
    for name in _TEXTS:
        if not isinstance(values[name], str) or "\0" in values[name]:
            raise ValueError(f"rbd.{name}: not a text")
    at_once = values["at_once"]
    if type(at_once) is not int or not 1 <= at_once <= _MOST_AT_ONCE:
        raise ValueError(f"rbd.at_once: not a whole number between 1 and {_MOST_AT_ONCE}")
    return values
