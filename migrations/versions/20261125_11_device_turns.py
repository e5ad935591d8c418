"""Whose turn it is at a power device, over all controllers.

Revision: 20261125_11_device_turns, after 20261124_10_cloud_report. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_11_device_turns"
down_revision = "20261124_10_cloud_report"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Unlogged: a turn lasts seconds, and whoever held one when the database died is no longer there.
    op.create_table(
        "device_turns",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("commanded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wanted_by", sa.Text(), nullable=False),
        sa.Column("wanted_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("device", name="pk__device_turns__device"),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
