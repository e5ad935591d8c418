"""The overview from what is known: open incidents, clusters, hosts, trouble first."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.domain.cluster_readiness import ClusterReadiness, HostLine, Tallied
from controller.domain.gates import WORST_FIRST, Readiness
from controller.domain.model import Health, Host, Level, Pause
from controller.domain.policy import Action
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.domain.words import label, words_for
from controller.services.at_a_glance import Cap, ClusterNow, Glance
from controller.services.sights import Sights
from controller.web.foresight import Foreseen
from controller.web.views.host_state import ANSWERS, HostState, host_state
from controller.web.views.incidents import IncidentLine, incident_line
from controller.web.views.look import MODES, READINESS, Look

CAUSES_SHOWN = 4
_SHOWN_AS_STATE = frozenset({Reason.MAINTENANCE.value, Reason.EXCLUDED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTile:
    """One host. ``readiness`` None: nothing stands against it alone. ``why``: what does, as labels."""

    id: str
    name: str
    state: HostState
    readiness: Look | None
    why: str
    find: str

    @property
    def calm(self) -> bool:
        """Nothing that anybody must look at."""
        return not self.state.trouble and self.readiness is None

    @property
    def plain(self) -> bool:
        """As it should be: its word is for those who listen."""
        return self.calm and self.state.look is ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseLine:
    """One pause that holds. ``where``: everywhere, or the cluster's or host's name."""

    id: str
    where: str
    reason: str
    by: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many hosts look like this."""

    look: Look
    hosts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCard:
    """One cluster. ``counts``: by state, the most troubled first."""

    id: str
    name: str
    mode: Look
    action: Action
    cap: Cap
    counts: tuple[Count, ...]
    ready: int | None
    causes: tuple[Tallied, ...]
    more_causes: int
    trouble: tuple[HostTile, ...]
    calm: tuple[HostTile, ...]

    @property
    def hosts(self) -> int:
        """All of them."""
        return len(self.trouble) + len(self.calm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The page. ``readiness_at`` None: not worked out yet. ``only``: the one cluster that is shown."""

    incidents: tuple[IncidentLine, ...]
    pauses: tuple[PauseLine, ...]
    mode: Look
    cap: Cap
    clusters: tuple[ClusterCard, ...]
    readiness_at: datetime | None
    hosts: int
    ready: int
    in_trouble: int
    only: str = ""


def overview(glance: Glance, foreseen: Foreseen, sights: Sights, *, only: str = "") -> Overview:
    """All clusters, or the one whose id is ``only``."""
    names = {host.id: host.name for cluster in glance.clusters for host in cluster.hosts}
    clusters = {one.cluster.id: one.cluster.name for one in glance.clusters}
    shown = [one for one in glance.clusters if only in ("", one.cluster.id)]
    cards = tuple(_card(one, glance, foreseen, sights) for one in shown)
    return Overview(
        incidents=tuple(
            incident_line(one, names.get(one.host_id, one.host_id))
            for one in sorted(glance.incidents.values(), key=lambda one: one.opened_at)
            if only in ("", one.cluster_id)
        ),
        pauses=tuple(pause_line(pause, clusters, names) for pause in glance.pauses),
        mode=MODES[glance.policy.mode],
        cap=glance.cap,
        clusters=tuple(sorted(cards, key=lambda card: (not card.trouble, card.name))),
        readiness_at=foreseen.at if all(card.ready is not None for card in cards) else None,
        hosts=sum(card.hosts for card in cards),
        ready=sum(card.ready or 0 for card in cards),
        in_trouble=sum(tile.state.trouble for card in cards for tile in card.trouble),
        only=only,
    )


def _card(now: ClusterNow, glance: Glance, foreseen: Foreseen, sights: Sights) -> ClusterCard:
    readiness = foreseen.clusters.get(now.cluster.id)
    found = _Causes(readiness)
    tiles = [_tile(host, glance, found, sights) for host in now.hosts]
    trouble = sorted((tile for tile in tiles if not tile.calm), key=lambda tile: (not tile.state.trouble, tile.name))
    causes = readiness.causes if readiness is not None else ()
    return ClusterCard(
        id=now.cluster.id,
        name=now.cluster.name,
        mode=MODES[now.policy.mode],
        action=now.policy.action,
        cap=now.cap,
        counts=_counts(tiles),
        ready=readiness.ready if readiness is not None else None,
        causes=causes[:CAUSES_SHOWN],
        more_causes=max(0, len(causes) - CAUSES_SHOWN),
        trouble=tuple(trouble),
        calm=tuple(tile for tile in tiles if tile.calm),
    )


def _tile(host: Host, glance: Glance, causes: "_Causes", sights: Sights) -> HostTile:
    health = glance.healths.get(host.id, Health(host_id=host.id))
    state = host_state(host, health, glance.incidents.get(host.id), sights, now=glance.at)
    own = causes.of_host(host.id)
    readiness = READINESS[causes.worst(own)] if own else None
    why = ", ".join(code.replace("_", " ") for code in own)
    words = (host.name, host.address, state.look.word, readiness.word if readiness else "ready", why)
    return HostTile(
        id=host.id, name=host.name, state=state, readiness=readiness, why=why, find=" ".join(words).casefold()
    )


class _Causes:
    """What keeps each host from being ready. What stands against all of a cluster's is said once, of the cluster."""

    def __init__(self, readiness: ClusterReadiness | None) -> None:
        lines: tuple[HostLine, ...] = readiness.hosts if readiness is not None else ()
        causes = readiness.causes if readiness is not None else ()
        self._stands = {
            cause.code: cause.readiness
            for cause in causes
            if cause.readiness in (Readiness.BLOCKED, Readiness.WAITS) and not (cause.hosts == len(lines) > 1)
        }
        self._lines = {line.id: line for line in lines}

    def of_host(self, host_id: str) -> tuple[str, ...]:
        line = self._lines.get(host_id)
        return (
            () if line is None else tuple(code for code in line.codes if code in self._stands.keys() - _SHOWN_AS_STATE)
        )

    def worst(self, codes: tuple[str, ...]) -> Readiness:
        return min((self._stands[code] for code in codes), key=WORST_FIRST.index)


def _counts(tiles: Iterable[HostTile]) -> tuple[Count, ...]:
    found = Counter((not tile.state.trouble, tile.state.look) for tile in tiles)
    ordered = sorted(found.items(), key=lambda one: (one[0][0], -one[1]))
    return tuple(Count(look=look, hosts=hosts) for (_, look), hosts in ordered)


def pause_line(pause: Pause, clusters: Mapping[str, str], hosts: Mapping[str, str]) -> PauseLine:
    """``clusters`` and ``hosts``: names by id."""
    where = {
        Level.GLOBAL: "everywhere",
        Level.CLUSTER: f"cluster {clusters.get(pause.owner_id, pause.owner_id)}",
        Level.HOST: f"host {hosts.get(pause.owner_id, pause.owner_id)}",
    }[pause.level]
    return PauseLine(id=pause.id, where=where, reason=_said(pause), by=pause.by, until=pause.until)


def _said(pause: Pause) -> str:
    """One that hostfence made by itself carries a code."""
    own = {reason.value: reason for reason in Reason}.get(pause.reason) if pause.by == SYSTEM else None
    return pause.reason if own is None else f"{label(own)}: {words_for(own).means}"
