"""What tells of changes without reading them: each row's ``xmin``, which is another one after every write."""

from typing import Any

from sqlalchemy import Select, String, literal, literal_column, null, select, union_all

from controller.db.models import (
    Attempts,
    Audit,
    Base,
    CloudReports,
    Clusters,
    Deliveries,
    Effects,
    Hosts,
    Incidents,
    Notices,
    Pauses,
)
from controller.db.session import Repository
from controller.domain.marks import Mark, Marked
from controller.domain.model import DeliveryStatus, EffectStatus


def _marks(
    kind: Marked, table: type[Base], id_column: Any, *, incident: Any = None, host: Any = None, cluster: Any = None
) -> Select[Any]:
    places = {"incident_id": incident, "host_id": host, "cluster_id": cluster}
    return select(
        literal(kind.value, String).label("kind"),
        id_column.label("id"),
        literal_column(f"{table.__tablename__}.xmin::text").label("version"),
        *((null() if column is None else column).label(name) for name, column in places.items()),
    ).select_from(table)


_INCIDENTS = _marks(
    Marked.INCIDENT,
    Incidents,
    Incidents.id,
    incident=Incidents.id,
    host=Incidents.host_id,
    cluster=Incidents.cluster_id,
)
_ATTEMPTS = _marks(
    Marked.ATTEMPT,
    Attempts,
    Attempts.id,
    incident=Attempts.incident_id,
    host=Attempts.host_id,
    cluster=Attempts.cluster_id,
)
_EFFECTS = _marks(Marked.EFFECT, Effects, Effects.id, incident=Effects.incident_id, host=Effects.host_id)
_DELIVERIES = _marks(Marked.DELIVERY, Deliveries, Deliveries.id, incident=Notices.incident_id).join(
    Notices, Notices.id == Deliveries.notice_id
)
_PAUSES = _marks(Marked.PAUSE, Pauses, Pauses.id, host=Pauses.host_id, cluster=Pauses.cluster_id)
_CLUSTERS = _marks(Marked.CLUSTER, Clusters, Clusters.id, cluster=Clusters.id)
_HOSTS: Any = select(
    literal(Marked.HOSTS.value, String).label("kind"),
    Hosts.cluster_id.label("id"),
    # One number for all of a cluster's: a thousand rows a second are more than a look may cost.
    literal_column("sum(hashtext(hosts.id || hosts.xmin::text))::text").label("version"),
    null().label("incident_id"),
    null().label("host_id"),
    Hosts.cluster_id.label("cluster_id"),
).group_by(Hosts.cluster_id)
_CLOUD = _marks(Marked.CLOUD, CloudReports, literal("", String))
_NEWEST_ATTEMPT = _ATTEMPTS.order_by(Attempts.intended_at.desc(), Attempts.seq.desc()).limit(1).subquery()
_NEWEST_AUDIT = _marks(Marked.AUDIT, Audit, Audit.id).order_by(Audit.at.desc(), Audit.id.desc()).limit(1).subquery()
_NEWEST_NOTICE = (
    _marks(Marked.NOTICE, Notices, Notices.id, incident=Notices.incident_id, host=Notices.host_id)
    .order_by(Notices.at.desc(), Notices.id.desc())
    .limit(1)
    .subquery()
)

_ALL = union_all(
    _INCIDENTS.where(Incidents.open),
    _ATTEMPTS.where(Attempts.finished_at.is_(None)),
    _EFFECTS.where(Effects.status == EffectStatus.INTENDED),
    _DELIVERIES.where(Deliveries.status == DeliveryStatus.PENDING),
    _PAUSES.where(Pauses.lifted_at.is_(None)),
    _CLUSTERS,
    _HOSTS,
    _CLOUD,
    select(_NEWEST_ATTEMPT),
    select(_NEWEST_AUDIT),
    select(_NEWEST_NOTICE),
)


class MarksRepository(Repository):
    """Part of :class:`controller.db.store_pages.PagesTx`."""

    async def marks(self) -> list[Mark]:
        """See the port."""
        return [
            Mark(
                kind=Marked(row["kind"]),
                id=row["id"],
                version=row["version"],
                incident_id=row["incident_id"] or "",
                host_id=row["host_id"] or "",
                cluster_id=row["cluster_id"] or "",
            )
            for row in await self._session.all(_ALL)
        ]
