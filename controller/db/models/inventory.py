"""Clusters, hosts, pools, machines and their disks; health is what is remembered of a host."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Body, Instant, Line, Sealed, Word
from controller.domain.model import DeviceHealth, PoolKind, VmKind
from controller.domain.power import PowerCode


class Clusters(Base):
    """See :class:`controller.domain.model.Cluster`."""

    __tablename__ = "clusters"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    name: Mapped[str] = mapped_column(Line, unique=True)
    external_id: Mapped[str | None] = mapped_column(Line, unique=True)
    zone: Mapped[str] = mapped_column(Line)
    pod: Mapped[str] = mapped_column(Line)


class Hosts(Base):
    """See :class:`controller.domain.model.Host`; the agent's token is sealed."""

    __tablename__ = "hosts"
    __table_args__ = (Index("uq__hosts__name", "cluster_id", "name", unique=True),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    cluster_id: Mapped[str] = mapped_column(Line, ForeignKey("clusters.id"))
    name: Mapped[str] = mapped_column(Line)
    address: Mapped[str] = mapped_column(Line)
    agent_port: Mapped[int]
    agent_token: Mapped[bytes] = mapped_column(Sealed)
    external_id: Mapped[str | None] = mapped_column(Line, unique=True)
    excluded: Mapped[bool]
    maintenance: Mapped[bool]
    runs_controller: Mapped[bool]
    agent_tls: Mapped[bool]
    agent_tls_until: Mapped[datetime | None] = mapped_column(Instant)
    cloud_ha: Mapped[bool]
    retired: Mapped[bool]


class Pools(Base):
    """See :class:`controller.domain.model.Pool`. Many hosts have a local pool of one path: only files are unique."""

    __tablename__ = "pools"
    __table_args__ = (
        Index("uq__pools__name", "cluster_id", "name", unique=True, postgresql_nulls_not_distinct=True),
        Index(
            "uq__pools__root",
            "cluster_id",
            "root",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("kind = 'file'"),
        ),
    )

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    name: Mapped[str] = mapped_column(Line)
    kind: Mapped[PoolKind] = mapped_column(Word(PoolKind))
    root: Mapped[str] = mapped_column(Line)
    cluster_id: Mapped[str | None] = mapped_column(Line, ForeignKey("clusters.id", ondelete="CASCADE"))
    external_id: Mapped[str | None] = mapped_column(Line)


class Vms(Base):
    """See :class:`controller.domain.model.Vm`."""

    __tablename__ = "vms"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    host_id: Mapped[str] = mapped_column(Line, ForeignKey("hosts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Line)
    kind: Mapped[VmKind] = mapped_column(Word(VmKind))
    ha_enabled: Mapped[bool]
    external_id: Mapped[str | None] = mapped_column(Line, unique=True)


class Disks(Base):
    """See :class:`controller.domain.model.Disk`. ``position`` keeps their order."""

    __tablename__ = "disks"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    vm_id: Mapped[str] = mapped_column(Line, ForeignKey("vms.id", ondelete="CASCADE"), index=True)
    pool_id: Mapped[str] = mapped_column(Line, ForeignKey("pools.id"), index=True)
    path: Mapped[str] = mapped_column(Line)
    position: Mapped[int]


class Healths(Base):
    """See :class:`controller.domain.model.Health`."""

    __tablename__ = "health"

    host_id: Mapped[str] = mapped_column(Line, ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True)
    armed: Mapped[bool]
    boot_id: Mapped[str] = mapped_column(Line)
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
    healthy_since: Mapped[datetime | None] = mapped_column(Instant)
    bmc_identity: Mapped[str] = mapped_column(Line)
    bmc_on_seen_at: Mapped[datetime | None] = mapped_column(Instant)
    bmc_checked_at: Mapped[datetime | None] = mapped_column(Instant)
    bmc_code: Mapped[PowerCode] = mapped_column(Word(PowerCode))
    bmc_said: Mapped[str] = mapped_column(Line)
    second: Mapped[DeviceHealth] = mapped_column(Body(DeviceHealth))
    fenced_by: Mapped[str] = mapped_column(Line)
    fenced_boot_id: Mapped[str] = mapped_column(Line)
    quarantined_by: Mapped[str] = mapped_column(Line)
