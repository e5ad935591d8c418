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


def channels(told: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, Any]] | None) -> Check:
    """Whether anybody would be told. ``tested``: what became of a test through each, where one was asked for."""
    found = Findings()
    names = [str(one["name"]) for one in told if one["kind"] is not None]
    if not names:
        found.add(PROBLEM, "there is no notification channel", "Write channels (docs/notifications.md).")
    for one in told:
        if one["dead"]:
            todo = "Mend the receiver or the channel, then: hostfence channels resend CHANNEL."
            found.add(PROBLEM, f"{one['name']}: {count(one['dead'], 'message')} given up", todo)
        if one["pending"]:
            found.add(WARNING, f"{one['name']}: {count(one['pending'], 'message')} waiting to be sent")
        if one["last_sent_at"] is None and one["kind"] is not None and tested is None:
            todo = "Test each channel once: hostfence channels test CHANNEL, or hostfence doctor --send-tests."
            found.add(WARNING, f"{one['name']}: nothing was ever sent through it", todo)
    for one in tested or ():
        if not one["taken"]:
            found.add(
                PROBLEM, f"{one['channel']}: a test was not taken: {one['said']}", "Mend the receiver or the channel."
            )
        else:
            found.add(
                OK, f"{one['channel']}: a test {'arrived' if one['confirmed'] else 'left'} in {one['took_s']:.1f} s"
            )
    return found.said("notifications", f"Notifications by {some(names)}" if names else "Nobody would be told")
