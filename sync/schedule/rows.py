"""Small statements that both databases spell alike but SQLAlchemy keeps apart."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sync.store import Store
from sync.store.inserts import insert_into


def insert_missing(store: Store, tx: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert the row unless one of its key is there; True when it was inserted. Waits for others who insert it."""
    statement = insert_into(table, tx.dialect).values(**values).on_conflict_do_nothing()
    return tx.execute(statement).rowcount > 0
