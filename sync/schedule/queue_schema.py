"""The queue's own tables (procrastinate's) in the hub's PostgreSQL database, made and upgraded under a lock.

They are not ours to migrate: procrastinate ships its schema and one SQL file per change. Table `setting` remembers the
newest file that has been applied, so that a new version of the library finds its tables as it wants them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from procrastinate.schema import SchemaManager

from sync.store import Store
from sync.store.tables import setting

_SETTING = "procrastinate.schema"


def prepare(store: Store) -> None:
    """Make or upgrade the queue's tables; does nothing when they are up to date. Safe from several processes at once."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))  # named by version: 03.04.00_01_…
    with store.read() as tx:
        applied = _applied(tx)
    # A transaction for each file: PostgreSQL lets none use an enum's value that it has added itself
    while applied != files[-1].name:
        with store.begin() as tx:
            store.lock_key(tx, _SETTING)
            applied = _step(tx, files)


def _step(tx: sa.Connection, files: list[Path]) -> str:
    """Apply the next file, or the whole schema to a database without one; gives the name of what is now the newest."""
    applied = _applied(tx)
    if applied is None:
        if tx.execute(sa.text("SELECT to_regclass('procrastinate_jobs')")).scalar() is None:
            _execute(tx, SchemaManager.get_schema())
        newest = files[-1].name
    else:
        file = next((file for file in files if file.name > applied), None)
        if file is None:
            return files[-1].name  # a newer version of the library has been here: its changes are made for both
        _execute(tx, file.read_text(encoding="utf-8"))
        newest = file.name
    tx.execute(sa.delete(setting).where(setting.c.key == _SETTING))
    tx.execute(sa.insert(setting).values(key=_SETTING, value=newest))
    return newest


def _applied(tx: sa.Connection) -> Any:
    return tx.execute(sa.select(setting.c.value).where(setting.c.key == _SETTING)).scalar_one_or_none()


def _execute(tx: sa.Connection, script: str) -> None:
    """Several statements with their own % signs: past SQLAlchemy, and without parameters."""
    driver: Any = tx.connection.driver_connection
    driver.execute(script)
