"""What a cloud tells: its own host HA, hosts it forgot, its ids of pools; how far a release has come; the last sync.

Revision: 20261124_09_cloud, after 20261124_08_enrolment. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_09_cloud"
down_revision = "20261124_08_enrolment"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("hosts", sa.Column("cloud_ha", sa.Boolean()))
    op.add_column("hosts", sa.Column("retired", sa.Boolean()))
    op.execute("UPDATE hosts SET cloud_ha = false, retired = false")
    op.alter_column("hosts", "cloud_ha", nullable=False)
    op.alter_column("hosts", "retired", nullable=False)
    op.add_column("pools", sa.Column("external_id", sa.Text()))
    op.add_column("effects", sa.Column("progress", postgresql.JSONB()))
    op.execute("UPDATE effects SET progress = '{}'")
    op.alter_column("effects", "progress", nullable=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
