"""Small statements that both databases spell alike but SQLAlchemy keeps apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from sync.store.inserts import insert_into


def insert_missing(tx: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert the row unless one of its key is there; True when it was inserted. Waits for others who insert it."""
    return tx.execute(_missing(table, tx.dialect.name), values).rowcount > 0


@cache
def _missing(table: sa.Table, dialect: str) -> Any:
    return insert_into(table, dialect).on_conflict_do_nothing()
