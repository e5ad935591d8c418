"""What the cloud's clusters and hosts mean for hostfence's own: found again by the cloud's id, renamed, retired, added.

Says what is to be written; writes nothing. Our ids stay whatever the cloud renames, and settings with them.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.domain.addresses import canonical_address
from controller.domain.cloud import CloudCluster, CloudHost, CloudInventory
from controller.domain.model import Cluster, Host
from controller.domain.remarks import Remarks, listed
from controller.services.changes import new_id

BELIEVED_SITE = 2
"""A site of more hosts than this never loses more than half of them at once."""

_LONGEST_NAME = 200
_SHOWN = ("name", "cluster_id", "address", "external_id", "maintenance", "cloud_ha")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChange:
    """One host to write. ``before`` None: it is new. ``another_machine``: what its power device proved is void."""

    before: Host | None
    after: Host
    another_machine: bool = False

    @property
    def action(self) -> str:
        """The audit's word for it."""
        if self.before is None:
            return "host.create"
        if self.before.retired is not self.after.retired:
            return "host.retire" if self.after.retired else "host.return"
        return "host.update"

    @property
    def said(self) -> dict[str, Any]:
        """What changed, for the audit; no secrets."""
        names = [name for name in _SHOWN if getattr(self.before, name, None) != getattr(self.after, name)]
        return {name: getattr(self.after, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """In the order in which it must be written. ``problem``: why the missing hosts are not believed to be gone."""

    changes: tuple[HostChange, ...] = ()
    problem: str = ""


def plan_clusters(there: Iterable[CloudCluster], here: Iterable[Cluster], remarks: Remarks) -> list[Cluster]:
    """New clusters, and those of which something changes; in the order in which they must be written."""
    wanted = sorted(there, key=lambda one: one.id)
    state = {one.id: one for one in here}
    changed: dict[str, Cluster] = {}
    for one in wanted:
        known = next((c for c in state.values() if c.external_id == one.id), None) or _same_name(one, wanted, state)
        taken = {c.name for c in state.values() if known is None or c.id != known.id}
        name = _free_name(one.name, taken, one.id, f"{one.name} ({one.zone})", f"{one.name} ({one.zone}, {one.pod})")
        cluster = replace(
            known or Cluster(id=new_id(), name=name), name=name, external_id=one.id, zone=one.zone, pod=one.pod
        )
        if name != plain_name(one.name):
            remarks.say(f"Cluster {one.name} is called {name} here: the name is taken.")
        if cluster != known:
            state[cluster.id] = changed[cluster.id] = cluster
    return list(changed.values())


def _same_name(one: CloudCluster, wanted: Sequence[CloudCluster], state: dict[str, Cluster]) -> Cluster | None:
    """A cluster made by hand before the cloud was connected; not where the name fits several."""
    if sum(other.name == one.name for other in wanted) > 1:
        return None
    return next((c for c in state.values() if c.external_id is None and c.name == plain_name(one.name)), None)


def plan_hosts(
    inventory: CloudInventory,
    clusters: Iterable[Cluster],
    hosts: Iterable[Host],
    open_hosts: frozenset[str],
    remarks: Remarks,
) -> HostPlan:
    """What changes. ``open_hosts``: ids of those with an open incident, whose address and place stay until its end."""
    plan = _Plan(inventory, clusters, hosts, open_hosts, remarks)
    changes = [change for there in inventory.hosts if (change := plan.follow(there)) is not None]
    gone, problem = plan.gone()
    return HostPlan(changes=(*changes, *gone), problem=problem)


class _Plan:
    def __init__(
        self,
        inventory: CloudInventory,
        clusters: Iterable[Cluster],
        hosts: Iterable[Host],
        open_hosts: frozenset[str],
        remarks: Remarks,
    ) -> None:
        self._clusters = {one.external_id: one for one in clusters if one.external_id is not None}
        self._state = {one.id: one for one in hosts}
        """Everything as it will be once what was planned so far is written."""
        self._known = {one.external_id: one.id for one in self._state.values() if one.external_id is not None}
        self._before = [one for one in self._state.values() if one.external_id is not None and not one.retired]
        self._listed = {one.id for one in inventory.hosts}
        self._open = open_hosts
        self._say = remarks.say

    def follow(self, there: CloudHost) -> HostChange | None:
        """One host of the cloud."""
        cluster = self._clusters.get(there.cluster_id)
        known = self._state.get(self._known.get(there.id, ""))
        adopted = None if known or cluster is None else self._adoptable(there, cluster)
        here = known or adopted
        after = self._new(there, cluster) if here is None else self._followed(here, there, cluster)
        if after is None or after == here:
            return None
        self._state[after.id] = after
        another = adopted is not None and adopted.external_id is not None
        return HostChange(before=here, after=after, another_machine=another)

    def gone(self) -> tuple[list[HostChange], str]:
        """The hosts that the cloud does not list any more; nothing where it has lost too many to be believed."""
        missing = [h for h in self._before if self._state[h.id].external_id not in self._listed]
        left = len(self._before) - len(missing)
        incredible = not self._listed or (len(self._before) > BELIEVED_SITE and 2 * left < len(self._before))
        if missing and incredible:
            return [], (
                f"The cloud lists only {left} of {len(self._before)} hosts that it had, so none is taken for removed;"
                " check the rights of hostfence's key, and delete by hand the hosts that are really gone"
                f" ({listed([h.name for h in missing])})."
            )
        changes = []
        for host in missing:
            if host.id in self._open:
                self._say("The cloud does not list {names} any more; it stays until its incident is closed.", host.name)
            else:
                changes.append(HostChange(before=host, after=replace(host, retired=True)))
        return changes, ""

    def _adoptable(self, there: CloudHost, cluster: Cluster) -> Host | None:
        """A host of its cluster with its name or else its address that the cloud knows by no id (any more)."""
        free = [
            h
            for h in self._state.values()
            if h.cluster_id == cluster.id and h.external_id not in self._listed and h.id not in self._open
        ]
        address = _address(there.address)
        named = [h for h in free if h.name == plain_name(there.name)]
        return next(iter(named or [h for h in free if address and h.address == address]), None)

    def _new(self, there: CloudHost, cluster: Cluster | None) -> Host | None:
        shown, address = there.name or there.id, _address(there.address)
        if cluster is None:
            self._say("Host {names} is not added: its cluster is not known.", shown)
            return None
        if not address:
            self._say("Host {names} is not added: the cloud shows no address that can be used.", shown)
            return None
        host = Host(
            id=new_id(),
            cluster_id=cluster.id,
            name=self._name(there, cluster.id, None),
            address=address,
            agent_token=secrets.token_urlsafe(32),
            external_id=there.id,
            maintenance=there.maintenance,
            cloud_ha=there.own_ha,
        )
        other = self._at(host)
        if other is not None:
            self._say(f"Host {{names}} is not added: {other.name} has its address {address}.", shown)
            return None
        return host

    def _followed(self, here: Host, there: CloudHost, cluster: Cluster | None) -> Host:
        busy = here.id in self._open
        cluster_id = here.cluster_id if cluster is None or busy else cluster.id
        after = replace(
            here,
            external_id=there.id,
            cluster_id=cluster_id,
            name=self._name(there, cluster_id, here),
            maintenance=there.maintenance,
            cloud_ha=there.own_ha,
        )
        address = _address(there.address)
        if address and address != here.address:
            after = self._moved(after, address, busy=busy)
        elif there.address and not address:
            self._say("The cloud's address of {names} cannot be used; the earlier one stays.", after.name)
        if here.retired:
            other = self._at(after)
            if other is not None:
                self._say(f"{{names}} stays retired: {other.name} has its address {after.address}.", after.name)
            return replace(after, retired=other is not None)
        return after

    def _moved(self, host: Host, address: str, *, busy: bool) -> Host:
        if busy:
            self._say(f"{{names}} has another address, {address}: followed when its incident is closed.", host.name)
            return host
        moved = replace(host, address=address)
        other = self._at(moved)
        if other is not None:
            self._say(f"The new address {address} of {{names}} is not taken over: {other.name} has it.", host.name)
            return host
        return moved

    def _at(self, host: Host) -> Host | None:
        """Another host whose agent would be at the same place: they would vouch for each other's life."""
        place = (host.address, host.agent_port)
        others = (h for h in self._state.values() if h.id != host.id and not h.retired)
        return next((h for h in others if (h.address, h.agent_port) == place), None)

    def _name(self, there: CloudHost, cluster_id: str, here: Host | None) -> str:
        if here is not None and here.cluster_id == cluster_id and plain_name(there.name) in ("", here.name):
            return here.name  # the usual case, found without a look at all the others
        own_id = here.id if here is not None else ""
        taken = {h.name for h in self._state.values() if h.cluster_id == cluster_id and h.id != own_id}
        return _free_name(there.name or (here.name if here is not None else there.id), taken, there.id)


def plain_name(text: str) -> str:
    """``text`` as a name that can stand in an address bar and a log line."""
    return "".join(letter for letter in text.replace("/", "-") if letter.isprintable()).strip()[:_LONGEST_NAME]


def _free_name(wanted: str, taken: set[str], cloud_id: str, *others: str) -> str:
    """The first of the names that nobody has; the last resort is the cloud's id."""
    names = (*(plain_name(one) for one in (wanted, *others)), plain_name(f"{wanted} ({cloud_id[:8]})"))
    return next((name for name in names if name and name not in taken), plain_name(cloud_id))


def _address(text: str) -> str:
    try:
        return canonical_address(text)
    except ValueError:
        return ""
