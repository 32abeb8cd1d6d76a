"""Tables and transactions, on SQLite and PostgreSQL alike."""

from sync.store.engine import Store
from sync.store.ids import new_uid

__all__ = ["Store", "new_uid"]
