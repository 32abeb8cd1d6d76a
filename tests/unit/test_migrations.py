"""The migrations make exactly the tables of the schema, and `HEAD` is their newest revision."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
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


def test_what_is_partial_in_the_schema_is_partial_in_the_database(store: Store) -> None:
    wanted = {
        str(index.name)
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options[store.engine.dialect.name]["where"] is not None
    }
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
        if store.sqlite
        else "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '% WHERE %'"
    )
    with store.read() as tx:
        found = set(tx.execute(sa.text(query)).scalars())
    assert len(wanted) > 10
    assert found == wanted


def test_prices_and_stock_of_an_older_version_stay(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'data.db'}")
    try:
        with store.begin() as tx:
            config = config_of()
            config.attributes["connection"] = tx
            command.upgrade(config, "0002")
            for table, key in (("price", "price_type, value, currency"), ("stock", "warehouse, qty")):
                values = "'опт', 1500000, 'RUB'" if table == "price" else "'склад', 7000"
                tx.exec_driver_sql(
                    f"INSERT INTO {table} (product_uid, connection, {key}, updated_at)"
                    f" VALUES ('p', 'onec', {values}, '2024-03-05T00:00:00.000000+00:00')"
                )
        upgrade(store)
        with store.read() as tx:
            price, stock = (tx.execute(metadata.tables[name].select()).one() for name in ("price", "stock"))
            assert (price.product_uid, price.price_type, price.value, price.currency) == (
                "p",
                "опт",
                Decimal("1.5"),
                "RUB",
            )
            assert (stock.warehouse, stock.qty, stock.updated_at.year) == ("склад", Decimal(7), 2024)
            found = tx.exec_driver_sql(
                "SELECT name, wr FROM pragma_table_list WHERE name LIKE 'price%' OR name LIKE 'stock%'"
            )
            assert sorted(map(tuple, found)) == [("price", 1), ("stock", 1)], (
                "each row stands once, and nothing is left over"
            )
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
