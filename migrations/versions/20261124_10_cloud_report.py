"""What became of the last reading of the cloud, for people to read.

Revision: 20261124_10_cloud_report, after 20261124_09_cloud. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_10_cloud_report"
down_revision = "20261124_09_cloud"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "cloud_reports",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck__cloud_reports__one_row")),
        sa.PrimaryKeyConstraint("one", name="pk__cloud_reports__one"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
