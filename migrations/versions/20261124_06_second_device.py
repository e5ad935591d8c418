"""A second power device of a host: what is remembered of it, and who shares one.

Revision: 20261124_06_second_device, after 20261124_05_identity. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_06_second_device"
down_revision = "20261124_05_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("health", sa.Column("second", postgresql.JSONB()))
    op.execute("UPDATE health SET second = '{}'")
    op.alter_column("health", "second", nullable=False)
    op.drop_index("ix__settings__device", table_name="settings")
    op.create_index(
        "ix__settings__device",
        "settings",
        ["value"],
        postgresql_where=sa.text("field IN ('ipmi.host', 'second.host')"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
