"""Bringing a database to this version's tables, from the first table on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync.errors import Fatal, Text
from sync.store.engine import Store

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"  # the newest revision in migrations/versions (a test holds it); every command asks, few need the tools
_FOLDER = Path(__file__).parent / "migrations"


def config_of() -> Config:
    """Alembic's configuration for our migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def version(store: Store) -> str | None:
    """The database's revision, None for an empty one."""
    there = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        if store.sqlite
        else "SELECT to_regclass('alembic_version')"
    )
    with store.engine.connect() as connection:
        if connection.exec_driver_sql(there).scalar() is None:
            return None
        found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return found


def upgrade(store: Store) -> None:
    """Apply what is missing, in one transaction; nothing to do is cheap. Fatal for a database of a newer version."""
    current = version(store)
    if current == HEAD:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config_of())
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
            if version(store) == HEAD:
                return
        config = config_of()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
