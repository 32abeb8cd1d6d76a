"""Bringing a database to this version's tables, from the first table on."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sync.errors import Fatal, Text
from sync.store.engine import Store

_FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def version(store: Store) -> str | None:
    """The database's revision, None for an empty one."""
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(store: Store) -> None:
    """Apply what is missing, in one transaction; nothing to do is cheap. Fatal for a database of a newer version."""
    script = ScriptDirectory.from_config(_config())
    head, current = script.get_current_head(), version(store)
    if current == head:
        return
    if current is not None and current not in {s.revision for s in script.walk_revisions()}:
        raise Fatal(
            Text(
                f"The database was made by a newer Sverka (revision {current}). Install that version again.",
                f"База данных создана более новой версией Сверки (ревизия {current}). Установите её снова.",
            ),
            code="store.newer",
            setting="hub.database",
        )
    with store.begin() as tx:
        if not store.sqlite:  # two processes that start at once
            tx.execute(sa.select(sa.func.pg_advisory_xact_lock(0x5645524B41)))
            if MigrationContext.configure(tx).get_current_revision() == head:
                return
        config = _config()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
