"""What follows from one poll of CloudStack's hosts after another: whom it lost, and when the trouble is its own. Pure.

After a restart of the management server every host is Disconnected for a while: that says nothing about the hosts, and
what a cloud in trouble says is not believed (`known` False), neither for them nor against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.domain.cloud import CloudHost, CloudHosts

RESTARTED_FOR_S = 120.0
"""As long as hostfence itself is quiet after a start (``startup_quiet``)."""

AT_ONCE_FOR_S = 300.0
"""Hosts that all left at once may be dead after all: then CloudStack is believed again, and the storm rules decide."""

LEAVING_TOGETHER = 2
"""So many hosts at least, and more than half of those that were Up, are *everybody*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polls:
    """What is remembered of earlier polls. Times are monotonic seconds of this process."""

    up: Mapping[str, bool] = field(default_factory=dict)
    servers: Mapping[str, str] = field(default_factory=dict)
    """Management server -> when it was started, as it says."""
    trouble: str = ""
    until: float = 0.0


def follow(polls: Polls, hosts: tuple[CloudHost, ...], servers: Mapping[str, str], *, at: float) -> Polls:
    """The memory after one more poll."""
    up = {host.id: host.up for host in hosts}
    trouble, until = _trouble(polls, up, servers, at)
    kept = {**polls.servers, **servers}
    if trouble:
        # Who was up before the trouble is who is missed after it.
        return replace(polls, servers=kept, trouble=trouble, until=until)
    return Polls(up=up, servers=kept)


def said(polls: Polls, hosts: tuple[CloudHost, ...]) -> CloudHosts:
    """What may be believed of the newest poll."""
    return CloudHosts(known=not polls.trouble, hosts=() if polls.trouble else hosts, trouble=polls.trouble)


def _trouble(polls: Polls, up: Mapping[str, bool], servers: Mapping[str, str], at: float) -> tuple[str, float]:
    restarted = [name for name, since in servers.items() if polls.servers.get(name, since) != since]
    if restarted:
        return f"the management server {restarted[0]} was restarted", at + RESTARTED_FOR_S
    before = [host for host, was_up in polls.up.items() if was_up and host in up]
    left = [host for host in before if not up[host]]
    together = len(left) >= LEAVING_TOGETHER and 2 * len(left) > len(before)
    if polls.trouble:
        # Left alone in its time; earlier only when everybody is back.
        return (polls.trouble, polls.until) if at < polls.until and left else ("", 0.0)
    if together:
        words = f"{len(left)} of {len(before)} hosts left Up at once: the management server's trouble, not the hosts'"
        return words, at + AT_ONCE_FOR_S
    return "", 0.0
