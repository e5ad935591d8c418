"""People who sign in to the web pages, and their sessions.

Revision: 20261130_11_sign_in, after 20261124_10_cloud_report. Never edited once landed.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_11_sign_in"
down_revision = "20261125_11_device_turns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock stops everybody behind it: give up instead, and try again later.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk__users__id"),
        sa.UniqueConstraint("name", name="uq__users__name"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("token_id", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.CheckConstraint("(user_id IS NULL) <> (token_id IS NULL)", name=op.f("ck__sessions__whose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk__sessions__user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name="fk__sessions__token_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk__sessions__id"),
        sa.UniqueConstraint("digest", name="uq__sessions__digest"),
    )
    op.create_index("ix__sessions__user_id", "sessions", ["user_id"])
    op.create_index("ix__sessions__token_id", "sessions", ["token_id"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a fencing service's history is not thrown away")
