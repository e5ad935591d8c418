"""Alembic's entry: runs inside the transaction that controller.db.migrate opened."""

from alembic import context

from controller.db.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
