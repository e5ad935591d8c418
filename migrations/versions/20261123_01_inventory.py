"""Inventory, health, settings and pauses.

Revision: 20261123_01_inventory, after nothing. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_01_inventory"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "clusters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk__clusters__id"),
        sa.UniqueConstraint("external_id", name="uq__clusters__external_id"),
        sa.UniqueConstraint("name", name="uq__clusters__name"),
    )
    op.create_table(
        "hosts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent_port", sa.Integer(), nullable=False),
        sa.Column("agent_token", sa.LargeBinary(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("maintenance", sa.Boolean(), nullable=False),
        sa.Column("runs_controller", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk__hosts__cluster_id"),
        sa.PrimaryKeyConstraint("id", name="pk__hosts__id"),
        sa.UniqueConstraint("external_id", name="uq__hosts__external_id"),
    )
    op.create_index("uq__hosts__name", "hosts", ["cluster_id", "name"], unique=True)
    op.create_table(
        "pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text()),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk__pools__cluster_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk__pools__id"),
    )
    op.create_index("uq__pools__name", "pools", ["cluster_id", "name"], unique=True, postgresql_nulls_not_distinct=True)
    op.create_index(
        "uq__pools__root",
        "pools",
        ["cluster_id", "root"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("kind = 'file'"),
    )
    op.create_table(
        "vms",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ha_enabled", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk__vms__host_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk__vms__id"),
        sa.UniqueConstraint("external_id", name="uq__vms__external_id"),
    )
    op.create_index("ix__vms__host_id", "vms", ["host_id"])
    op.create_table(
        "disks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("vm_id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name="fk__disks__pool_id"),
        sa.ForeignKeyConstraint(["vm_id"], ["vms.id"], name="fk__disks__vm_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk__disks__id"),
    )
    op.create_index("ix__disks__pool_id", "disks", ["pool_id"])
    op.create_index("ix__disks__vm_id", "disks", ["vm_id"])
    op.create_table(
        "health",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("healthy_since", sa.DateTime(timezone=True)),
        sa.Column("bmc_identity", sa.Text(), nullable=False),
        sa.Column("bmc_on_seen_at", sa.DateTime(timezone=True)),
        sa.Column("bmc_checked_at", sa.DateTime(timezone=True)),
        sa.Column("bmc_code", sa.Text(), nullable=False),
        sa.Column("bmc_said", sa.Text(), nullable=False),
        sa.Column("fenced_by", sa.Text(), nullable=False),
        sa.Column("fenced_boot_id", sa.Text(), nullable=False),
        sa.Column("quarantined_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk__health__host_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("host_id", name="pk__health__host_id"),
    )
    op.create_table(
        "settings",
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column(
            "cluster_id",
            sa.Text(),
            sa.Computed("CASE WHEN level = 'cluster' THEN owner_id END", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "host_id",
            sa.Text(),
            sa.Computed("CASE WHEN level = 'host' THEN owner_id END", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("level <> 'global' OR owner_id = ''", name=op.f("ck__settings__owner_id")),
        sa.CheckConstraint("(value IS NULL) <> (sealed IS NULL)", name=op.f("ck__settings__value_or_sealed")),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk__settings__owner_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk__settings_host__owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("level", "owner_id", "field", name="pk__settings__level"),
    )
    op.create_table(
        "pauses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.Column("lifted_by", sa.Text(), nullable=False),
        sa.Column(
            "cluster_id",
            sa.Text(),
            sa.Computed("CASE WHEN level = 'cluster' THEN owner_id END", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "host_id",
            sa.Text(),
            sa.Computed("CASE WHEN level = 'host' THEN owner_id END", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("level <> 'global' OR owner_id = ''", name=op.f("ck__pauses__owner_id")),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk__pauses__owner_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk__pauses_host__owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk__pauses__id"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
