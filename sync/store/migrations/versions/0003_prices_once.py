"""Rows of prices and stock stand in SQLite once, in the order of their key, and no longer beside an index of the same key"""

import sqlalchemy as sa
from alembic import op

import sync.store.types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # elsewhere a primary key is all there is
        _anew(
            "price",
            sa.Column("price_type", sa.String(length=80), nullable=False),
            sa.Column("value", sync.store.types.Scaled(6), nullable=False),
            sa.Column("currency", sa.String(length=3), nullable=True),
        )
        _anew(
            "stock",
            sa.Column("warehouse", sa.String(length=80), nullable=False),
            sa.Column("qty", sync.store.types.Scaled(3), nullable=False),
        )


def _anew(name: str, key: sa.Column[str], *values: sa.Column[object]) -> None:
    op.rename_table(name, f"{name}_before")
    made = op.create_table(
        name,
        sa.Column("product_uid", sa.String(length=36), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        key,
        *values,
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("product_uid", "connection", key.name, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )
    columns = ", ".join(column.name for column in made.columns)
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before")
    op.drop_table(f"{name}_before")
