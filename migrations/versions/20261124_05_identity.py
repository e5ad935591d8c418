"""Which database this is and where it lay: a restored backup tells itself by it.

Revision: 20261124_05_identity, after 20261123_04_lean_reads. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_05_identity"
down_revision = "20261123_04_lean_reads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "database_identity",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck__database_identity__one_row")),
        sa.PrimaryKeyConstraint("one", name="pk__database_identity__one"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
