"""Notices told together in one message, dead deliveries that are tried again, and reading deliveries by channel.

Revision: 20261130_12_digests, after 20261130_11_sign_in. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_12_digests"
down_revision = "20261130_11_sign_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("deliveries", sa.Column("digest_id", sa.Text()))
    op.add_column("deliveries", sa.Column("resent_at", sa.DateTime(timezone=True)))
    op.add_column("deliveries", sa.Column("doubtful", sa.Boolean()))
    op.execute("UPDATE deliveries SET doubtful = (tries > 0 AND status = 'pending')")
    op.alter_column("deliveries", "doubtful", nullable=False)
    op.create_foreign_key("fk__deliveries__digest_id", "deliveries", "notices", ["digest_id"], ["id"])
    op.create_index("ix__deliveries__dead", "deliveries", ["channel"], postgresql_where=sa.text("status = 'dead'"))
    op.create_index(
        "ix__deliveries__sent_at", "deliveries", ["channel", "sent_at"], postgresql_where=sa.text("status = 'sent'")
    )
    op.create_index(
        "ix__deliveries__digest_id", "deliveries", ["digest_id"], postgresql_where=sa.text("status = 'in_digest'")
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
