"""Who is asked about a silent host, and why the others are not.

Carries rule 3: a host that is itself suspected is no witness; how many answers are required follows configured
membership.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.model import Host
from controller.domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The witnesses of one round; ``not_asked`` gives a reason for every other neighbor."""

    asked: tuple[Host, ...]
    not_asked: tuple[tuple[str, Reason], ...]


def choose(subject: Host, hosts: Iterable[Host], *, suspected: frozenset[str]) -> Choice:
    """All neighbors of the same cluster with an agent, but those with an open incident. Maintenance is fine.

    A host that the cloud does not know any more is no neighbor.
    """
    asked: list[Host] = []
    not_asked: list[tuple[str, Reason]] = []
    for host in hosts:
        if host.id == subject.id or host.cluster_id != subject.cluster_id or host.retired:
            continue
        if host.id in suspected:
            not_asked.append((host.id, Reason.WITNESS_SUSPECTED))
        elif not host.agent_token:
            not_asked.append((host.id, Reason.NOT_CONFIGURED))
        else:
            asked.append(host)
    return Choice(asked=tuple(asked), not_asked=tuple(not_asked))
