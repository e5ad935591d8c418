"""Storage probes that a distribution brings: found by their scheme, set up, and never trusted with more than that.

A plug-in has the entry-point group ``hostfence.storage_probes``; its name is the scheme of the targets that it reads.
Whatever a plug-in does wrong is *unknown* for its own targets (rule 3) and touches nobody else's: it runs in a child
process per pool, and every reading is checked before it is believed.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType
from typing import Any

from probe_agent.probes.base import Reading, StorageProbe
from shared.enums import ReadingCode, ReadingMethod

GROUP = "hostfence.storage_probes"
_MAX_TEXT = 300
_MAX_NUMBER = 2**63
_MAX_HOLDERS = 64
_TEXTS = ("detail", "device")
_NUMBERS = ("inode", "size", "blocks", "mtime_ns", "ctime_ns")


def scheme_of(target: str) -> str:
    """The scheme of a target that is not a path; empty for a path."""
    scheme, colon, _ = target.partition(":")
    return scheme if colon and not target.startswith("/") else ""


def pool_of(target: str) -> str:
    """What one child process looks after: ``scheme:`` and all before the last slash of the target."""
    pool, slash, _ = target.rpartition("/")
    return pool if slash else scheme_of(target) + ":"


@cache
def installed_schemes() -> frozenset[str]:
    """Schemes for which some distribution has brought a probe. Kept: a new one needs a restart of the agent."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def load(scheme: str, settings_file: Path | None = None) -> StorageProbe:
    """Make the probe of a scheme with its table of the settings file.

    Raises:
        LookupError: no distribution brings one, or several do.
        OSError, ValueError: the settings cannot be read. And whatever the plug-in raises.
    """
    points = tuple(entry_points(group=GROUP, name=scheme))
    if len(points) != 1:
        raise LookupError(f"{len(points)} storage probes for {scheme}:")
    probe: StorageProbe = points[0].load()(_settings(scheme, settings_file))
    return probe


def read(probe: StorageProbe, root: str, targets: Sequence[str], *, until: float) -> list[Reading]:
    """One sound reading per target, in order, whatever the plug-in does (but hang: that is the parent's to end)."""
    try:
        found = list(probe.read(root, targets, until=until, plain_folders=False))
    except Exception as error:  # noqa: BLE001  a plug-in's defect is unknown, not a crash
        return [broken(f"{type(error).__name__}: {error}")] * len(targets)
    if len(found) != len(targets):
        return [broken(f"{len(found)} readings for {len(targets)} targets")] * len(targets)
    return [_checked(reading) for reading in found]


def broken(what: str) -> Reading:
    """The reading of a target whose plug-in failed."""
    return Reading(ReadingCode.OTHER, f"the storage probe failed: {what}"[:_MAX_TEXT])


def _settings(scheme: str, file: Path | None) -> Mapping[str, Any]:
    if file is None:
        return {}
    import tomllib  # noqa: PLC0415  not for the service, which imports this module too

    table = tomllib.loads(file.read_text(encoding="utf-8")).get(scheme, {})
    if not isinstance(table, dict):
        raise ValueError(f"{file}: [{scheme}] is no table")  # noqa: TRY004  what is wrong is the file's content
    return table


def _checked(reading: object) -> Reading:
    """The reading itself, or why it cannot be believed: a wrong type would spoil the whole answer's JSON."""
    if not isinstance(reading, Reading):
        return broken(f"gave a {type(reading).__name__} for a reading")
    fault = _fault(reading)
    if fault:
        return broken(fault)
    return reading._replace(detail=reading.detail[:_MAX_TEXT], held_by=tuple(reading.held_by)[:_MAX_HOLDERS])


def _fault(reading: Reading) -> str:
    """What is wrong with it; empty when nothing is."""
    numbers = (getattr(reading, name) for name in _NUMBERS)
    faults = {
        "a code that is none": not isinstance(reading.code, (ReadingCode, NoneType)),
        "does not say how it was read": reading.code is None and not isinstance(reading.how, ReadingMethod),
        "a duration that is none": not _is_duration(reading.took_s),
        "a text that is none": not all(isinstance(getattr(reading, name), str) for name in _TEXTS),
        "a number that is none": not all(type(number) is int and abs(number) < _MAX_NUMBER for number in numbers),
        "holders that are none": not _are_texts(reading.held_by),
    }
    return next((fault for fault, found in faults.items() if found), "")


def _is_duration(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < _MAX_NUMBER


def _are_texts(value: object) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(one, str) for one in value)
