"""Which version each controller runs: while they are upgraded one after the other, people want to see who is left.

Revision: 20261130_13_controller_versions, after 20261130_12_digests. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_13_controller_versions"
down_revision = "20261130_12_digests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("controllers", sa.Column("version", sa.Text()))
    op.execute("UPDATE controllers SET version = ''")
    op.alter_column("controllers", "version", nullable=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
