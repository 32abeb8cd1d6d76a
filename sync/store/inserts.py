"""INSERT … ON CONFLICT, which both databases spell alike but SQLAlchemy keeps apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(table: sa.Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """The insert of the dialect of this name; the other one, which nobody needs then, is not imported."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as of_sqlite

        return of_sqlite(table)
    from sqlalchemy.dialects.postgresql import insert as of_postgresql

    return of_postgresql(table)
