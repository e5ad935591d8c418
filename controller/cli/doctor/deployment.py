"""The controllers themselves: database, clocks, key, environment."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from controller.cli.doctor.check import OK, PROBLEM, WARNING, Check, Findings, count
from controller.cli.text import duration, read_time

ALIVE_WITHIN = timedelta(seconds=45)
"""Controllers sign every ten seconds."""
CLOCKS_DIFFER_S = 5.0
OTHERS = 0o077


def controller(health: Mapping[str, Any], fitness: Mapping[str, Any] | None, *, ours: str) -> Check:
    """The one that answers. ``ours``: the version of this command line."""
    found = Findings()
    theirs = str(health.get("version", "?"))
    if theirs != ours:
        found.add(WARNING, f"it is version {theirs}, this command line {ours}", "Use its version of the command line.")
    if health.get("database") == "unavailable":
        found.add(PROBLEM, "its database does not answer", "Look at PostgreSQL, and at the controller's log.")
    for one in (fitness or {}).get("reasons", ()):
        found.add(PROBLEM, f"not ready: {one.get('code', '')}: {one.get('detail', '')}", str(one.get("do", "")))
    return found.said("controller", f"Controller of version {theirs} answers")


def database(told: Mapping[str, Any]) -> Check:
    """Its version, and that of its tables."""
    found = Findings()
    if told["schema_at"] != told["schema_newest"]:
        detail = f"its tables are at {told['schema_at']}, this controller wants {told['schema_newest']}"
        found.add(PROBLEM, detail, "Bring every controller to one version, then: hostfence-controller db upgrade.")
    kind = "hostfence's own" if told["embedded"] else "a server of yours"
    return found.said("database", f"Database: PostgreSQL {told['server_version']}, {kind}")


def controllers(told: Mapping[str, Any]) -> Check:
    """Those that are alive now."""
    found = Findings()
    now = read_time(told["at"])
    alive = [one for one in told["controllers"] if now - read_time(one["alive_at"]) <= ALIVE_WITHIN]
    versions = sorted({one["version"] or "unknown" for one in alive})
    if not alive:
        found.add(PROBLEM, "none has signed lately: the engine stands still", "Look at the controllers' logs.")
    if len(versions) > 1:
        found.add(WARNING, f"of different versions: {', '.join(versions)}", "Bring all of them to one version.")
    if len(alive) == 1:
        found.add(OK, "a second one on the same database would take over when this one fails")
    return found.said("controllers", f"{count(len(alive), 'controller')} alive")


def clocks(told: Mapping[str, Any], *, here: datetime, now: datetime) -> Check:
    """Against the clock of the controller's machine."""
    found = Findings()
    apart = {"the database's server": float(told["ahead_s"]), "this machine": (here - now).total_seconds()}
    for name, by in apart.items():
        if abs(by) > CLOCKS_DIFFER_S:
            where = "ahead of" if by > 0 else "behind"
            todo = "Let NTP set the clocks. No decision depends on them; certificates and logs do."
            found.add(WARNING, f"{name} is {duration(abs(by))} {where} the controller's machine", todo)
    return found.said("clocks", "Clocks")


def key(told: Mapping[str, Any]) -> Check:
    """Whether it is kept well, and opens everything."""
    found = Findings()
    if told["source"] == "file" and told["mode"] is None:
        detail = f"{told['path']} cannot be read any more: the next start would fail"
        found.add(PROBLEM, detail, f"Put the key back to {told['path']}.")
    elif told["mode"] is not None and told["mode"] & OTHERS:
        detail = f"{told['path']} is open to other users (mode {told['mode']:04o})"
        found.add(PROBLEM, detail, f"chmod 600 {told['path']}")
    if told["older"]:
        detail = f"{told['older']} of {told['secrets']} secrets need an older key"
        found.add(WARNING, detail, "Finish the change of the key: hostfence-controller key rotate.")
    if told["lost"]:
        detail = f"{told['lost']} of {told['secrets']} secrets are open to no key that this controller has"
        found.add(PROBLEM, detail, "Give it the key of their time as well, or write these secrets anew.")
    where = told["path"] or "the environment"
    return found.said(
        "key", f"Encryption key {', '.join(told['ids'])} from {where}, {count(told['secrets'], 'secret')}"
    )


def environment(told: Mapping[str, Any]) -> Check:
    """What the controller's process was given."""
    found = Findings()
    if not told["remembers"]:
        detail = f"{told['memory_path']} cannot be written: a restored database may go unnoticed"
        found.add(WARNING, detail, "Give HOSTFENCE_DATA_DIR a folder that its user can write.")
    for name in told["missing"]:
        todo = "Install it where the controller runs, or take it out of HOSTFENCE_EXEC_ALLOWED."
        found.add(WARNING, f"power devices may run {name}, and it is not there", todo)
    for name in told["lab"]:
        found.add(WARNING, f"{name} is set", "It is for laboratories: unset it.")
    return found.said("environment", "The controller's environment")
