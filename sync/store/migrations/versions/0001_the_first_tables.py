"""The first tables"""

import sqlalchemy as sa
from alembic import op

import sync.store.types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("client_uid", sa.String(length=36), nullable=True),
        sa.Column("deal_uid", sa.String(length=36), nullable=True),
        sa.Column("lead_uid", sa.String(length=36), nullable=True),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("thread", sa.Text(), nullable=True),
        sa.Column("evidence", sync.store.types.Json(), nullable=True),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.Column("data", sync.store.types.Json(), nullable=True),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_activity")),
        sa.UniqueConstraint("key", name=op.f("uq_activity_key")),
    )
    op.create_index("ix_activity_client", "activity", ["client_uid", "at"], unique=False)
    op.create_index("ix_activity_deal", "activity", ["deal_uid"], unique=False)
    op.create_index("ix_activity_thread", "activity", ["thread"], unique=False)
    op.create_table(
        "bucket",
        sa.Column("account", sa.String(length=160), nullable=False),
        sa.Column("next_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_bucket")),
    )
    op.create_table(
        "command",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("args", sync.store.types.Json(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("result", sync.store.types.Json(), nullable=True),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_table(
        "conflict",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=24), nullable=False),
        sa.Column("sides", sync.store.types.Json(), nullable=False),
        sa.Column("base", sync.store.types.Json(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("decision", sync.store.types.Json(), nullable=True),
        sa.Column("since", sync.store.types.Moment(), nullable=False),
        sa.Column("closed_at", sync.store.types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
    )
    op.create_index(
        "uq_conflict_open",
        "conflict",
        ["record_uid", "field"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "cursor",
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("native_kind", sa.String(length=32), nullable=False),
        sa.Column("cursor", sync.store.types.Json(), nullable=True),
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "native_kind", name=op.f("pk_cursor")),
    )
    op.create_table(
        "document",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("deal_uid", sa.String(length=36), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("date", sync.store.types.Moment(), nullable=True),
        sa.Column("amount", sync.store.types.Scaled(2), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("posted", sa.Boolean(), nullable=True),
        sa.Column("reversed", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_document")),
        sa.UniqueConstraint("deal_uid", "connection", "key", name=op.f("uq_document_deal_uid_connection_key")),
    )
    op.create_index("ix_document_number", "document", ["number"], unique=False)
    op.create_table(
        "due",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("next_at", sync.store.types.Moment(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_due")),
    )
    op.create_table(
        "edit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("value", sync.store.types.Json(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("text", sync.store.types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edit")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("received_at", sync.store.types.Moment(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("spool", sa.Text(), nullable=True),
        sa.Column("request", sync.store.types.Json(), nullable=True),
        sa.Column("label", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("duplicate_of", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("text", sync.store.types.Json(), nullable=True),
        sa.Column("processed_at", sync.store.types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    op.create_index(
        "ix_inbox_new",
        "inbox",
        ["state", "connection"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "uq_inbox_connection_key",
        "inbox",
        ["connection", "key"],
        unique=True,
        sqlite_where=sa.text("duplicate_of IS NULL"),
        postgresql_where=sa.text("duplicate_of IS NULL"),
    )
    op.create_table(
        "intent",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=True),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("native_kind", sa.String(length=32), nullable=False),
        sa.Column("op", sa.String(length=8), nullable=False),
        sa.Column("data", sync.store.types.Json(), nullable=False),
        sa.Column("fields", sync.store.types.Json(), nullable=False),
        sa.Column("why", sync.store.types.Json(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=True),
        sa.Column("batch", sa.String(length=36), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sync.store.types.Moment(), nullable=True),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.Column("done_at", sync.store.types.Moment(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sync.store.types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
    )
    op.create_index(
        "ix_intent_open",
        "intent",
        ["state", "connection"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('done', 'dropped')"),
        postgresql_where=sa.text("state NOT IN ('done', 'dropped')"),
    )
    op.create_index("ix_intent_record", "intent", ["record_uid"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=24), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.Column("changes", sync.store.types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_record", "journal", ["record_uid"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("native_kind", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("shadow", sync.store.types.Json(), nullable=True),
        sa.Column("shadow_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("base", sync.store.types.Json(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=True),
        sa.Column("first_seen", sync.store.types.Moment(), nullable=False),
        sa.Column("deleted_at", sync.store.types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint(
            "connection", "native_kind", "external_id", name=op.f("uq_link_connection_native_kind_external_id")
        ),
    )
    op.create_index(
        "ix_link_number",
        "link",
        ["number"],
        unique=False,
        sqlite_where=sa.text("number IS NOT NULL"),
        postgresql_where=sa.text("number IS NOT NULL"),
    )
    op.create_index("ix_link_record", "link", ["record_uid"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sync.store.types.Moment(), nullable=False),
        sa.Column("text", sync.store.types.Json(), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", name=op.f("uq_notice_key")),
    )
    op.create_table(
        "observation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("client_uid", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_seen", sync.store.types.Moment(), nullable=False),
        sa.Column("last_seen", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint("kind", "value", "client_uid", name=op.f("uq_observation_kind_value_client_uid")),
    )
    op.create_index("ix_observation_client", "observation", ["client_uid"], unique=False)
    op.create_table(
        "price",
        sa.Column("product_uid", sa.String(length=36), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("price_type", sa.String(length=80), nullable=False),
        sa.Column("value", sync.store.types.Scaled(6), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("product_uid", "connection", "price_type", name=op.f("pk_price")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("native_kind", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=True),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=48), nullable=False),
        sa.Column("field", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sync.store.types.Json(), nullable=False),
        sa.Column("remedy", sync.store.types.Json(), nullable=True),
        sa.Column("data", sync.store.types.Json(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("first_at", sync.store.types.Moment(), nullable=False),
        sa.Column("last_at", sync.store.types.Moment(), nullable=False),
        sa.Column("next_at", sync.store.types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index(
        "uq_quarantine_open",
        "quarantine",
        ["connection", "native_kind", "external_id", "stage"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "record",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("client_uid", sa.String(length=36), nullable=True),
        sa.Column("amount", sync.store.types.Scaled(2), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("paid", sync.store.types.Scaled(2), nullable=True),
        sa.Column("shipped", sync.store.types.Scaled(2), nullable=True),
        sa.Column("data", sync.store.types.Json(), nullable=False),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
        sa.Column("converted_deal", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_record")),
    )
    op.create_index(
        "ix_record_client",
        "record",
        ["client_uid", "kind"],
        unique=False,
        sqlite_where=sa.text("client_uid IS NOT NULL"),
        postgresql_where=sa.text("client_uid IS NOT NULL"),
    )
    op.create_index("ix_record_number", "record", ["kind", "number"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record_uid", sa.String(length=36), nullable=False),
        sa.Column("reason", sync.store.types.Json(), nullable=False),
        sa.Column("candidates", sync.store.types.Json(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decision", sync.store.types.Json(), nullable=True),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.Column("closed_at", sync.store.types.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("work", sa.String(length=64), nullable=False),
        sa.Column("started_at", sync.store.types.Moment(), nullable=False),
        sa.Column("ended_at", sync.store.types.Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("same", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("writes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sync.store.types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index("ix_run_work", "run", ["connection", "work", "id"], unique=False)
    op.create_table(
        "session",
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("sid", sa.String(length=80), nullable=False),
        sa.Column("data", sync.store.types.Json(), nullable=False),
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "sid", name=op.f("pk_session")),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("value", sync.store.types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "stock",
        sa.Column("product_uid", sa.String(length=36), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("warehouse", sa.String(length=80), nullable=False),
        sa.Column("qty", sync.store.types.Scaled(3), nullable=False),
        sa.Column("updated_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("product_uid", "connection", "warehouse", name=op.f("pk_stock")),
    )
    op.create_table(
        "task",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("text", sync.store.types.Json(), nullable=False),
        sa.Column("subject_uid", sa.String(length=36), nullable=False),
        sa.Column("client_uid", sa.String(length=36), nullable=True),
        sa.Column("due_at", sync.store.types.Moment(), nullable=False),
        sa.Column("done_at", sync.store.types.Moment(), nullable=True),
        sa.Column("created_at", sync.store.types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_task")),
        sa.UniqueConstraint("subject_uid", "type", name=op.f("uq_task_subject_uid_type")),
    )
    op.create_table(
        "spool",
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("area", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("file", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_spool_inbox_id")),
        sa.PrimaryKeyConstraint("connection", "area", "name", name=op.f("pk_spool")),
    )


def downgrade() -> None:
    op.drop_table("spool")
    op.drop_table("task")
    op.drop_table("stock")
    op.drop_table("setting")
    op.drop_table("session")
    op.drop_index("ix_run_work", table_name="run")
    op.drop_table("run")
    op.drop_table("review")
    op.drop_index("ix_record_number", table_name="record")
    op.drop_index(
        "ix_record_client",
        table_name="record",
        sqlite_where=sa.text("client_uid IS NOT NULL"),
        postgresql_where=sa.text("client_uid IS NOT NULL"),
    )
    op.drop_table("record")
    op.drop_index(
        "uq_quarantine_open",
        table_name="quarantine",
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_table("quarantine")
    op.drop_table("price")
    op.drop_index("ix_observation_client", table_name="observation")
    op.drop_table("observation")
    op.drop_table("notice")
    op.drop_index("ix_link_record", table_name="link")
    op.drop_index(
        "ix_link_number",
        table_name="link",
        sqlite_where=sa.text("number IS NOT NULL"),
        postgresql_where=sa.text("number IS NOT NULL"),
    )
    op.drop_table("link")
    op.drop_table("lease")
    op.drop_index("ix_journal_record", table_name="journal")
    op.drop_table("journal")
    op.drop_index("ix_intent_record", table_name="intent")
    op.drop_index(
        "ix_intent_open",
        table_name="intent",
        sqlite_where=sa.text("state NOT IN ('done', 'dropped')"),
        postgresql_where=sa.text("state NOT IN ('done', 'dropped')"),
    )
    op.drop_table("intent")
    op.drop_index(
        "uq_inbox_connection_key",
        table_name="inbox",
        sqlite_where=sa.text("duplicate_of IS NULL"),
        postgresql_where=sa.text("duplicate_of IS NULL"),
    )
    op.drop_index(
        "ix_inbox_new",
        table_name="inbox",
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.drop_table("inbox")
    op.drop_table("edit")
    op.drop_table("due")
    op.drop_index("ix_document_number", table_name="document")
    op.drop_table("document")
    op.drop_table("cursor")
    op.drop_index(
        "uq_conflict_open",
        table_name="conflict",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("conflict")
    op.drop_table("command")
    op.drop_table("bucket")
    op.drop_index("ix_activity_thread", table_name="activity")
    op.drop_index("ix_activity_deal", table_name="activity")
    op.drop_index("ix_activity_client", table_name="activity")
    op.drop_table("activity")
