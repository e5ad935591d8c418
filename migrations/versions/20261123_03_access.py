"""API tokens, audit, controllers and the base of hostfence time.

Revision: 20261123_03_access, after 20261123_02_incidents. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_03_access"
down_revision = "20261123_02_incidents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk__api_tokens__id"),
        sa.UniqueConstraint("digest", name="uq__api_tokens__digest"),
        sa.UniqueConstraint("name", name="uq__api_tokens__name"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk__audit__id"),
    )
    op.create_index("ix__audit__at", "audit", ["at"])
    op.create_table(
        "controllers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk__controllers__id"),
    )
    op.create_table(
        "time_base",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("correction", sa.Interval(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("high_water", sa.DateTime(timezone=True)),
        sa.CheckConstraint("id = 1", name=op.f("ck__time_base__one_row")),
        sa.PrimaryKeyConstraint("id", name="pk__time_base__id"),
    )

    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute("INSERT INTO time_base (id, correction, epoch) VALUES (1, '0', 0)")


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
