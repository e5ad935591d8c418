"""Where a cluster stands: the names of its zone and pod, as the cloud has them.

Revision: 20261130_21_cluster_place, after 20261130_13_controller_versions. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_21_cluster_place"
down_revision = "20261130_13_controller_versions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("zone", "pod"):
        op.add_column("clusters", sa.Column(name, sa.Text(), nullable=True))
        op.execute(sa.text(f"UPDATE clusters SET {name} = ''"))  # noqa: S608 - one of two names
        op.alter_column("clusters", name, nullable=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
