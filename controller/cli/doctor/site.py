"""What the controllers look after: cloud, inventory, agents, readiness, notifications.

Whether hosts could be fenced is the controller's own word (``/readiness``); nothing of it is judged again here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.cli.doctor.check import OK, PROBLEM, WARNING, Check, Findings, count, some

_GROUPS = {
    "armed": "Mode, action and pauses",
    "host": "Agents, certificates and marks of hosts",
    "device": "Power devices",
    "witnesses": "Witnesses",
    "storage": "Heartbeats and pools",
    "disks": "Disks",
    "cloud": "The cloud, as far as hosts depend on it",
    "limits": "Caps and limits",
    "return": "Return of a fenced host",
}
"""The groups of gates, by the controller's own names."""
_STANDS = {"blocked": PROBLEM, "waits": WARNING, "warning": WARNING}


def cloud(told: Mapping[str, Any]) -> Check:
    """Whether it can be read, and what it or its key is not fit for."""
    found = Findings()
    if told["problem"]:
        found.add(PROBLEM, told["problem"], "Check the cloud's API, and the rights of its key (docs/cloudstack.md).")
    for sentence in told["warnings"]:
        found.add(WARNING, sentence, "See docs/cloudstack.md.")
    if told["read_at"] is None and not told["problem"]:
        return found.said("cloud_reading", "No cloud was read")
    counts = ", ".join(f"{many} {what}" for what, many in told["counts"].items())
    return found.said("cloud_reading", f"The cloud: {counts or 'nothing was read yet'}")


def inventory(hosts: Sequence[Mapping[str, Any]], clusters: Sequence[Mapping[str, Any]]) -> Check:
    """Whether there is anything to look after."""
    found = Findings()
    many = sum(not one["retired"] for one in hosts)
    if not many:
        todo = "Add clusters and hosts, or point hostfence at CloudStack (docs/install.md)."
        found.add(PROBLEM, "hostfence looks after nothing", todo)
    return found.said("inventory", f"{count(len(clusters), 'cluster')}, {count(many, 'host')}")


def agents(hosts: Sequence[Mapping[str, Any]], deployment: Mapping[str, Any]) -> Check:
    """Versions alone: whether each answers, and how long its certificate is good, is among the readiness."""
    found = Findings()
    names = {one["id"]: str(one["name"]) for one in hosts}
    by_version: dict[str, list[str]] = {}
    for one in deployment["agents"]:
        if one["host_id"] in names:
            by_version.setdefault(one["version"] or "unknown", []).append(names[one["host_id"]])
    wanted = deployment["process"]["version"]
    for version, on in sorted(by_version.items()):
        if version != wanted:
            todo = f"Bring these agents to version {wanted}, in any order."
            found.add(WARNING, f"version {version}: {some(sorted(on))}", todo)
    heard = sum(map(len, by_version.values()))
    return found.said("agent_versions", f"{count(heard, 'agent')} heard by this controller")


def readiness(clusters: Sequence[Mapping[str, Any]], *, armed: bool) -> Iterator[Check]:
    """One check for each group of gates; over all clusters, in the controller's own words."""
    for group, title in _GROUPS.items():
        found = Findings()
        for cluster in clusters:
            for cause in cluster["causes"]:
                if cause["group"] == group:
                    hosts = [str(host["name"]) for host in cluster["hosts"] if cause["code"] in host["codes"]]
                    todo = f"{cause['code']}: {cause['change']}" if cause["change"] else ""
                    detail = f"{cluster['cluster_name']}: {cause['code']} at {some(hosts)}"
                    found.add(_stands(cause, armed=armed), detail, todo)
        yield found.said(group, title)


def _stands(cause: Mapping[str, Any], *, armed: bool) -> str:
    """What a person has chosen is no fault of the deployment, unless ``armed``; a silent agent always is one."""
    if cause["code"] == "agent":
        return PROBLEM if cause["readiness"] == "warning" else _STANDS.get(cause["readiness"], OK)
    chosen = cause["group"] in ("armed", "host") and not armed
    return WARNING if chosen else _STANDS.get(cause["readiness"], OK)


def channels(settings: Mapping[str, Any], notices: Sequence[Mapping[str, Any]]) -> Check:
    """Whether anybody would be told: the newest message through each channel (``notices``: newest first)."""
    found = Findings()
    names = [str(one.get("name")) for one in (settings.get("channels") or {}).get("value") or ()]
    if not names:
        found.add(PROBLEM, "there is no notification channel", "Write channels (docs/notifications.md).")
    last: dict[str, Mapping[str, Any]] = {}
    for notice in notices:
        for delivery in notice["deliveries"]:
            last.setdefault(delivery["channel"], delivery)
    for name in names:
        if name not in last:
            found.add(WARNING, f"{name}: nothing was ever sent through it", "Test each channel once.")
        elif last[name]["status"] != "sent":
            state = PROBLEM if last[name]["tries"] else OK
            why = last[name]["last_error"] or "not tried yet"
            todo = "Mend the receiver, or the channel's settings." if last[name]["tries"] else ""
            found.add(state, f"{name}: the newest message is {last[name]['status']} ({why})", todo)
    return found.said("notifications", f"Notifications by {some(names)}" if names else "Nobody would be told")
