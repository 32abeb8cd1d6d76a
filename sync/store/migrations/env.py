"""Runs migrations inside the transaction that `sync.store.migrate` opened."""

from alembic import context

from sync.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
