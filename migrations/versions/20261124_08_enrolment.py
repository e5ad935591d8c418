"""Agents over TLS: the authority that signs their certificates, join tokens, and which hosts have enrolled.

Revision: 20261124_08_enrolment, after 20261124_06_second_device. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_08_enrolment"
down_revision = "20261124_06_second_device"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("hosts", sa.Column("agent_tls", sa.Boolean()))
    op.execute("UPDATE hosts SET agent_tls = false")
    op.alter_column("hosts", "agent_tls", nullable=False)
    op.add_column("hosts", sa.Column("agent_tls_until", sa.DateTime(timezone=True)))
    op.create_table(
        "authority",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck__authority__one_row")),
        sa.PrimaryKeyConstraint("one", name="pk__authority__one"),
    )
    op.create_table(
        "join_tokens",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name="fk__join_tokens__host_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("host_id", name="pk__join_tokens__host_id"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
