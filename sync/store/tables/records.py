"""The star: canonical records, their links to external ones, and what hangs on them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sync.store.tables.schema import Id, metadata
from sync.store.types import Json, Moment, money, quantity, unit_price

record = Table(
    "record",
    metadata,
    Column("uid", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("number", Text),  # what people call it: order number, article
    Column("title", Text),
    Column("stage", String(64)),  # of a deal; the status of a lead
    Column("client_uid", String(36)),  # the company or private person it belongs to
    Column("amount", money()),
    Column("currency", String(3)),
    Column("paid", money()),
    Column("shipped", money()),
    Column("data", Json, nullable=False),  # the canonical fields
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("merged_into", String(36)),  # of a card: the one that its client is known by, where that is another one
    Column("converted_deal", String(36)),  # of a lead
    Column("person_uid", String(36)),  # of a lead or deal: the person behind it; the client may be a company
    Column("held", Boolean),  # a holding card: whose it is, is a question; NULL: no card of that kind
    Index("ix_record_number", "kind", "number"),
    Index(
        "ix_record_client",
        "client_uid",
        "kind",
        sqlite_where=text("client_uid IS NOT NULL"),
    ),
    Index(
        "ix_record_merged",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
    ),
)

link = Table(
    "link",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection", String(64), nullable=False),
    Column("native_kind", String(32), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("record_uid", String(36), nullable=False),
    Column("version", Text, nullable=False, server_default=""),
    Column("shadow", Json),  # the native record as last observed
    Column("shadow_hash", LargeBinary(16)),  # of it and the mapping's fingerprint
    Column("base", Json),  # canonical fields last agreed between this side and the record
    Column("state", String(12), nullable=False),  # linked, offered, detached, gone
    Column("number", String(32)),  # the number we gave it there
    Column("first_seen", Moment, nullable=False),
    Column("deleted_at", Moment),
    Column("outside", Boolean),  # not among what the scan's present filter lists: its absence means nothing
    Column("told", Moment),  # its system said that it is deleted, which waits for a person or was approved by one
    Column("untold", Json),  # fields in which the record moved since this side showed it; NULL: not known
    UniqueConstraint("connection", "native_kind", "external_id"),
    Index("ix_link_record", "record_uid"),
    Index(
        "ix_link_told",
        "connection",
        "native_kind",
        sqlite_where=text("told IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index(
        "ix_link_outside",
        "connection",
        "native_kind",
        sqlite_where=text("outside IS NOT NULL"),
    ),
    Index("ix_link_number", "number", sqlite_where=text("number IS NOT NULL")),
)

document = Table(
    "document",
    metadata,
    Column("uid", String(36), primary_key=True),
    Column("deal_uid", String(36), nullable=False),
    Column("connection", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("number", Text),
    Column("date", Moment),
    Column("amount", money()),
    Column("currency", String(3)),
    Column("posted", Boolean),
    Column("reversed", Boolean),
    UniqueConstraint("deal_uid", "connection", "key"),
    Index("ix_document_number", "number"),
)

price = Table(
    "price",
    metadata,
    Column("product_uid", String(36), primary_key=True),
    Column("connection", String(64), primary_key=True),
    Column("price_type", String(80), primary_key=True),
    Column("value", unit_price(), nullable=False),
    Column("currency", String(3)),
    Column("updated_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

stock = Table(
    "stock",
    metadata,
    Column("product_uid", String(36), primary_key=True),
    Column("connection", String(64), primary_key=True),
    Column("warehouse", String(80), primary_key=True),
    Column("qty", quantity(), nullable=False),
    Column("updated_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

activity = Table(
    "activity",
    metadata,
    Column("uid", String(36), primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # one event, however often and wherever it was seen
    Column("type", String(12), nullable=False),
    Column("direction", String(4), nullable=False),
    Column("at", Moment, nullable=False),
    Column("duration", Integer),
    Column("subject", Text),
    Column("text", Text),
    Column("author", Text),
    Column("client_uid", String(36)),
    Column("deal_uid", String(36)),
    Column("lead_uid", String(36)),
    Column("connection", String(64), nullable=False),
    Column("thread", Text),
    Column("evidence", Json),  # rule, keys and a sentence in both languages
    Column("inbox_id", BigInteger),
    Column("data", Json),
    Column("created_at", Moment, nullable=False),
    Column("person_uid", String(36)),  # who of the client it was; the same as the client when that is a private person
    Column("label", String(12)),  # why it is no client's event: robot, own_staff, own_line, hidden, nothing
    Index("ix_activity_client", "client_uid", "at"),
    Index("ix_activity_deal", "deal_uid"),
    Index("ix_activity_thread", "thread"),
)

task = Table(
    "task",
    metadata,
    Column("uid", String(36), primary_key=True),
    Column("type", String(16), nullable=False),
    Column("text", Json, nullable=False),  # {en, ru}
    Column("subject_uid", String(36), nullable=False),
    Column("client_uid", String(36)),
    Column("due_at", Moment, nullable=False),
    Column("done_at", Moment),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("subject_uid", "type"),
)
