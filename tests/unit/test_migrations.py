"""The migrations make exactly the tables of the schema, and `HEAD` is their newest revision."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sync.errors import Fatal
from sync.store import Store
from sync.store.migrate import HEAD, config_of, upgrade, version
from sync.store.tables import metadata


def test_migrations_and_tables_agree(database: str) -> None:
    store = Store.open(database)
    try:
        upgrade(store)
        upgrade(store)  # nothing to do the second time
        assert version(store) == HEAD == ScriptDirectory.from_config(config_of()).get_current_head()
        with store.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": False})
            differences = [d for d in compare_metadata(context, metadata) if not isinstance(d, list)]
        assert [d for d in differences if d[0] in ("add_table", "add_column", "remove_column", "add_index")] == []
    finally:
        store.close()


def test_a_database_of_a_newer_version_is_refused(database: str) -> None:
    store = Store.open(database)
    try:
        upgrade(store)
        with store.begin() as tx:
            tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Fatal, match="9999") as caught:
            upgrade(store)
        assert caught.value.setting == "hub.database"
    finally:
        store.close()
