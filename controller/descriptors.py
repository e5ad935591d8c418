"""Enough file descriptors for the process: many systems start with 1024, and every connection takes one."""

import resource

NEEDED = 16_384
"""For a thousand hosts: a few connections to each agent, sessions with their BMCs, the database, people."""


def raise_limit(needed: int = NEEDED) -> int:
    """Let this process, and those it starts, open as many files; returns how many it may. The hard limit stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, soft)
