"""Plans that wait for approval, what a scan was made with, and whose an event is"""

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
    _identity()


def _identity() -> None:
    """Observations of each source's record, the resolver's tables, links of events and records to cards, merges."""
    with op.batch_alter_table("observation") as table:
        table.add_column(sa.Column("record", sa.Text(), server_default="", nullable=False))
        table.drop_constraint("uq_observation_kind_value_client_uid", type_="unique")
        table.create_unique_constraint(
            "uq_observation_kind_value_client_uid_source_record", ["kind", "value", "client_uid", "source", "record"]
        )
    op.create_table(
        "identity_profile",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_identity_profile")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_key",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "uid", name=op.f("pk_identity_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_job",
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("company", sa.String(length=36), nullable=False),
        sa.Column("since", sa.String(length=32), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("person", "company", name=op.f("pk_identity_job")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identity_job_company", "identity_job", ["company"])
    op.create_table(
        "belongs",
        sa.Column("thing", sa.String(length=36), nullable=False),
        sa.Column("what", sa.String(length=8), nullable=False),
        sa.Column("card", sa.String(length=36), nullable=True),
        sa.Column("person", sa.String(length=36), nullable=True),
        sa.Column("rule", sa.String(length=24), nullable=False),
        sa.Column("evidence", sync.store.types.Json(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("said", sync.store.types.Json(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("seen_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("thing", name=op.f("pk_belongs")),
    )
    op.create_index("ix_belongs_card", "belongs", ["card"])
    op.create_index("ix_belongs_person", "belongs", ["person"])
    op.create_table(
        "merge",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kept", sa.String(length=36), nullable=False),
        sa.Column("gone", sa.String(length=36), nullable=False),
        sa.Column("rule", sa.String(length=24), nullable=False),
        sa.Column("why", sync.store.types.Json(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("undone_at", sync.store.types.Moment(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge")),
    )
    op.create_index("ix_merge_kept", "merge", ["kept"])
    op.create_index("ix_merge_gone", "merge", ["gone"])
    op.create_table(
        "never_pair",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("card", sa.String(length=36), nullable=False),
        sa.Column("other", sa.String(length=36), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("undone_at", sync.store.types.Moment(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_never_pair")),
    )
    op.create_index("ix_never_pair_card", "never_pair", ["card"])
    op.create_index("ix_never_pair_other", "never_pair", ["other"])
    op.create_index("ix_never_pair_signature", "never_pair", ["signature"])
    op.add_column("record", sa.Column("person_uid", sa.String(length=36), nullable=True))
    op.add_column("record", sa.Column("held", sa.Boolean(), nullable=True))
    op.add_column("activity", sa.Column("person_uid", sa.String(length=36), nullable=True))
    op.add_column("activity", sa.Column("label", sa.String(length=12), nullable=True))
    op.add_column("review", sa.Column("signature", sa.Text(), nullable=True))
    op.add_column("review", sa.Column("thing", sa.String(length=36), nullable=True))
    op.create_index(
        "ix_record_merged",
        "record",
        ["merged_into"],
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index("ix_review_record", "review", ["record_uid"])
    op.create_index("ix_review_signature", "review", ["signature"])
