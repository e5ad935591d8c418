"""Finding the probe of a target: ``file`` for a path, an installed plug-in for ``scheme:anything``."""

from importlib.metadata import entry_points

from probe_agent.probes.base import StorageProbe

GROUP = "hostfence.probes"


def scheme_of(target: str) -> str:
    """The scheme of a target that is not a path; empty for a path."""
    scheme, colon, _ = target.partition(":")
    return scheme if colon and not target.startswith("/") else ""


def installed_schemes() -> frozenset[str]:
    """Schemes for which some distribution has brought a probe."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def load(scheme: str) -> StorageProbe:
    """Make the probe of a scheme.

    Raises:
        LookupError: no distribution brings one.
    """
    for point in entry_points(group=GROUP, name=scheme):
        probe: StorageProbe = point.load()()
        return probe
    raise LookupError(f"no storage probe for {scheme}:")
