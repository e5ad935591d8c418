"""Two CloudStacks: an old one and a current one. What differs is listed here and nowhere else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    name: str
    version: str
    absent: frozenset[str] = frozenset()
    """Commands it does not know."""
    server_start_shown: bool = True
    """`listManagementServers` carries `lastserverstart`."""
    vm_ha_setting: bool = True
    """Knows `vm.ha.enabled` (4.20) and `set.host.down.to.maintenance` (4.15)."""
    system_volumes: bool = True
    """`listVolumes(listsystemvms=true)` (4.18)."""
    start_of_running_fails: bool = True
    """Older ones say that the start has succeeded (issue 2736)."""
    content_type: str = "application/json; charset=UTF-8"


CURRENT = Profile(name="current", version="4.20.1.0")
OLD = Profile(
    name="old",
    version="4.11.3.0",
    absent=frozenset({"declareHostAsDegraded", "cancelHostAsDegraded", "listManagementServers"}),
    server_start_shown=False,
    vm_ha_setting=False,
    system_volumes=False,
    start_of_running_fails=False,
)
PROFILES = {one.name: one for one in (CURRENT, OLD)}
NEW_SETTINGS = frozenset({"vm.ha.enabled", "set.host.down.to.maintenance", "enforce.post.requests.and.timestamps"})
