"""All settings of all levels as one document, without secrets: made from a controller, and compared with one.

A secret is ``{set: true}`` or ``{set: false}`` there, and a channel's ``<name>_set``: read back, these change nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.cli.client import Api
from controller.cli.errors import CliError, Exit

VERSION = 1
_TOP = ("hostfence_settings", "global", "clusters")
_CLUSTER = ("settings", "hosts")
_MARK = "_set"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """What one level's write would be. ``before``, ``after``: as they are shown, for the fields that change.

    ``body``: what is sent. ``mode``: the new one where it changes (None inherits). ``notes``: what differs and is left.
    """

    path: str
    words: str
    before: Mapping[str, Any] = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    mode_changes: bool
    mode: str | None
    notes: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether anything would be written."""
        return bool(self.body) or self.mode_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    path: str
    words: str
    wanted: Mapping[str, Any]


def export(api: Api) -> dict[str, Any]:
    """The document."""
    clusters: dict[str, Any] = {}
    everywhere = api.get("/clusters").data
    for cluster in everywhere:
        hosts = {
            host["name"]: written
            for host in api.get("/hosts", cluster=cluster["id"]).data
            if (written := api.get(f"/hosts/{host['id']}/settings").data)
        }
        settings = api.get(f"/clusters/{cluster['id']}/settings").data
        clusters[cluster["name"]] = {"settings": settings, "hosts": hosts}
    names = {one["id"]: one["name"] for one in everywhere}
    return {"hostfence_settings": VERSION, "global": _read(api, "", names), "clusters": clusters}


def plan(
    api: Api, document: Any, catalogue: Mapping[str, Mapping[str, Any]], *, replace: bool, with_mode: bool
) -> list[LevelPlan]:
    """What a write of ``document`` would change, level by level; nothing is written.

    ``replace``: what a level of the document does not name inherits again, except secrets and mode.
    """
    names = {one["id"]: one["name"] for one in api.get("/clusters").data}
    return [
        _level_plan(level, _read(api, level.path, names), catalogue, replace=replace, with_mode=with_mode)
        for level in _levels(api, document, catalogue)
    ]


def _read(api: Api, path: str, clusters: Mapping[str, str]) -> dict[str, Any]:
    """What is written at a level; clusters of channels by name, which is the same on another controller."""
    found: dict[str, Any] = api.get(f"{path}/settings").data
    for channel in found.get("channels") or ():
        if "clusters" in channel:
            channel["clusters"] = [clusters.get(one, one) for one in channel["clusters"]]
    return found


def _levels(api: Api, document: Any, catalogue: Mapping[str, Any]) -> list[_Level]:
    """Every level that is named, global first. All names are looked up before anything is written."""
    top = _map(document, "the document", _TOP)
    if top.get("hostfence_settings") != VERSION:
        raise _unusable(f"it does not say hostfence_settings: {VERSION}")
    levels = (
        [_Level(path="", words="global", wanted=_settings(top["global"], "global", catalogue))]
        if "global" in top
        else []
    )
    known = {one["name"]: one for one in api.get("/clusters").data} if top.get("clusters") else {}
    of_hosts: list[_Level] = []
    for name, content in _map(top.get("clusters"), "clusters", None).items():
        cluster = _one(known, name, "cluster")
        parts = _map(content, f"cluster {name}", _CLUSTER)
        words = f"cluster {name}"
        if "settings" in parts:
            wanted = _settings(parts["settings"], words, catalogue)
            levels.append(_Level(path=f"/clusters/{cluster['id']}", words=words, wanted=wanted))
        of_hosts += _hosts(api, cluster, parts.get("hosts"), catalogue)
    return levels + of_hosts


def _hosts(api: Api, cluster: Mapping[str, Any], content: Any, catalogue: Mapping[str, Any]) -> Iterator[_Level]:
    named = _map(content, f"cluster {cluster['name']}: hosts", None)
    known = {one["name"]: one for one in api.get("/hosts", cluster=cluster["id"]).data} if named else {}
    for name, written in named.items():
        words = f"host {name} of {cluster['name']}"
        host = _one(known, name, f"host in cluster {cluster['name']}")
        yield _Level(path=f"/hosts/{host['id']}", words=words, wanted=_settings(written, words, catalogue))


def _level_plan(
    level: _Level,
    there: Mapping[str, Any],
    catalogue: Mapping[str, Mapping[str, Any]],
    *,
    replace: bool,
    with_mode: bool,
) -> LevelPlan:
    wanted = {name: value for name, value in level.wanted.items() if name != "mode"}
    marks = {name for name, value in wanted.items() if catalogue[name]["secret"] and _only_a_mark(value)}
    body = {name: value for name, value in wanted.items() if name not in marks and there.get(name) != value}
    if replace:
        body |= {name: None for name in there if name not in wanted and name != "mode" and not _kept(name, catalogue)}
    mode = level.wanted.get("mode", there.get("mode"))
    mode_changes = with_mode and mode != there.get("mode")
    notes = [
        f"{name}: is set in the file, and not here; set it by hand"
        for name in sorted(marks)
        if wanted[name]["set"] and not there.get(name, {}).get("set")
    ]
    if mode != there.get("mode") and not with_mode:
        notes.append(f"mode: is {mode or 'inherited'} in the file; left as it is without --with-mode")
    changed = [*body, *(["mode"] if mode_changes else [])]
    return LevelPlan(
        path=level.path,
        words=level.words,
        before={name: there.get(name) for name in changed},
        after={name: _shown(name, {**body, "mode": mode}[name], catalogue) for name in changed},
        body={name: _without_marks(value) for name, value in body.items() if name in there or value is not None},
        mode_changes=mode_changes,
        mode=mode,
        notes=tuple(notes),
    )


def _kept(name: str, catalogue: Mapping[str, Mapping[str, Any]]) -> bool:
    return name in catalogue and bool(catalogue[name]["secret"])


def _only_a_mark(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"set"} and isinstance(value["set"], bool)


def _shown(name: str, value: Any, catalogue: Mapping[str, Mapping[str, Any]]) -> Any:
    """A secret that somebody wrote into the file stays out of the terminal."""
    if name not in catalogue or not catalogue[name]["secret"] or value is None:
        return value
    if not isinstance(value, list):
        return {"set": bool(value)}
    return [one.get("name", "?") if isinstance(one, dict) else "?" for one in value]


def _without_marks(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {key: part for key, part in one.items() if not (key.endswith(_MARK) and isinstance(part, bool))}
        if isinstance(one, dict)
        else one
        for one in value
    ]


def _settings(content: Any, where: str, catalogue: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(content, where, tuple(catalogue))


def _map(content: Any, where: str, allowed: tuple[str, ...] | None) -> Mapping[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _unusable(f"{where} is no list of names with values")
    if allowed is not None and (unknown := sorted(str(name) for name in content if name not in allowed)):
        raise _unusable(f"{where}: {', '.join(unknown)} is not known")
    return content


def _one(known: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    if name not in known:
        raise CliError(f"there is no {what} {name!r}; nothing was written", code=Exit.NOT_FOUND)
    found: Mapping[str, Any] = known[name]
    return found


def _unusable(text: str) -> CliError:
    return CliError(f"the document cannot be used: {text}; nothing was written", code=Exit.USAGE)
