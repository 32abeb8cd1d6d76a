"""Small statements that both databases spell alike but SQLAlchemy keeps apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sync.store import Store


def insert_missing(store: Store, tx: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert the row unless one of its key is there; True when it was inserted. Waits for others who insert it."""
    return tx.execute(_missing(table, store.sqlite), values).rowcount > 0


@cache
def _missing(table: sa.Table, on_sqlite: bool) -> Any:
    insert = sqlite.insert if on_sqlite else postgresql.insert
    return insert(table).on_conflict_do_nothing()
