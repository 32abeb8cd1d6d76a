"""Plans that wait for approval, and what a scan was made with"""

import sqlalchemy as sa
from alembic import op

import sync.store.types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sync.store.types.Json(), nullable=False),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("decided_at", sync.store.types.Moment(), nullable=True),
        sa.Column("closed_at", sync.store.types.Moment(), nullable=True),
        sa.Column("text", sync.store.types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )
    op.create_index(
        "ix_plan_open",
        "plan",
        ["state", "connection"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'approved')"),
        postgresql_where=sa.text("state IN ('waiting', 'approved')"),
    )
    op.create_table(
        "translated",
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("native_kind", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.String(length=64), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("connection", "native_kind", name=op.f("pk_translated")),
    )
    op.add_column("cursor", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.add_column("cursor", sa.Column("whole", sa.String(length=64), nullable=True))
    op.add_column("cursor", sa.Column("full_at", sync.store.types.Moment(), nullable=True))
    op.add_column("link", sa.Column("outside", sa.Boolean(), nullable=True))
    op.create_index(
        "ix_link_outside",
        "link",
        ["connection", "native_kind"],
        unique=False,
        sqlite_where=sa.text("outside IS NOT NULL"),
        postgresql_where=sa.text("outside IS NOT NULL"),
    )
    op.add_column("link", sa.Column("told", sync.store.types.Moment(), nullable=True))
    op.create_index(
        "ix_link_told",
        "link",
        ["connection", "native_kind"],
        unique=False,
        sqlite_where=sa.text("told IS NOT NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("told IS NOT NULL AND deleted_at IS NULL"),
    )
    op.add_column("link", sa.Column("untold", sync.store.types.Json(), nullable=True))
    op.add_column("conflict", sa.Column("who", sync.store.types.Json(), nullable=True))
    op.add_column("intent", sa.Column("plan_id", sa.String(length=36), nullable=True))
    op.add_column("intent", sa.Column("needs", sa.String(length=36), nullable=True))
    op.add_column("intent", sa.Column("sent_at", sync.store.types.Moment(), nullable=True))
    op.add_column("journal", sa.Column("link_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_run_open",
        "run",
        ["id"],
        unique=False,
        sqlite_where=sa.text("outcome = 'running'"),
        postgresql_where=sa.text("outcome = 'running'"),
    )
    op.create_index(
        "ix_intent_run",
        "intent",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("run_id IS NOT NULL"),
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
