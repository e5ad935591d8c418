"""Indexes for what every step of an incident asks: its cluster's incidents, and who shares its power device.

Revision: 20261123_04_lean_reads, after 20261123_03_access. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261123_04_lean_reads"
down_revision = "20261123_03_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index("ix__incidents__cluster_id_closed_at", "incidents", ["cluster_id", "closed_at"])
    op.create_index("ix__settings__device", "settings", ["value"], postgresql_where=sa.text("field = 'ipmi.host'"))


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
