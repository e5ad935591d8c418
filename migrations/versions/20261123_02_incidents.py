"""Incidents, their history, intents and the outbox.

Revision: 20261123_02_incidents, after 20261123_01_inventory. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_02_incidents"
down_revision = "20261123_01_inventory"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("next_step_at", sa.DateTime(timezone=True)),
        sa.Column("lease_token", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk__incidents__id"),
    )
    op.create_index("ix__incidents__host_id_opened_at", "incidents", ["host_id", "opened_at"])
    op.create_index("ix__incidents__next_step_at", "incidents", ["next_step_at"], postgresql_where=sa.text("open"))
    op.create_index("ix__incidents__opened_at", "incidents", ["opened_at"])
    op.create_index("uq__incidents__host_id", "incidents", ["host_id"], unique=True, postgresql_where=sa.text("open"))
    op.create_table(
        "events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk__events__incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk__events__id"),
    )
    op.create_index("ix__events__incident_id_seq", "events", ["incident_id", "seq"])
    op.create_table(
        "rounds",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk__rounds__incident_id"),
        sa.PrimaryKeyConstraint("incident_id", "number", name="pk__rounds__number"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("bmc_identity", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("takes_slot", sa.Boolean(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("accepted", sa.Text()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk__attempts__incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk__attempts__id"),
    )
    op.create_index("ix__attempts__incident_id", "attempts", ["incident_id"])
    op.create_index("ix__attempts__intended_at", "attempts", ["intended_at"])
    op.create_index(
        "ix__attempts__unfinished",
        "attempts",
        ["intended_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "effects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True)),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("earlier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk__effects__incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk__effects__id"),
    )
    op.create_index("ix__effects__host_id", "effects", ["host_id"])
    op.create_index(
        "ix__effects__next_try_at",
        "effects",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("status = 'intended'"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text()),
        sa.Column("host_id", sa.Text()),
        sa.Column("cluster_id", sa.Text()),
        sa.Column("host_name", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("why", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("how_to_stop", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk__notices__incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk__notices__id"),
        sa.UniqueConstraint("key", name="uq__notices__key"),
    )
    op.create_index("ix__notices__at", "notices", ["at"])
    op.create_index("ix__notices__incident_id", "notices", ["incident_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name="fk__deliveries__notice_id"),
        sa.PrimaryKeyConstraint("id", name="pk__deliveries__id"),
    )
    op.create_index(
        "ix__deliveries__next_try_at",
        "deliveries",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("uq__deliveries__channel", "deliveries", ["notice_id", "channel"], unique=True)

    # History is written once: not even a bug or a hurried hand may change what was seen and decided.
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23000';
        END $$
        """
    )
    for table in ("events", "rounds"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
