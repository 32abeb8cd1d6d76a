"""What came in, how far it was read, and what could not be taken."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from sync.store.tables.schema import Id, metadata
from sync.store.types import Json, Moment

inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection", String(64), nullable=False),
    Column("via", String(10), nullable=False),  # push, poll, file, exchange
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),  # the sender's id of the message, or a hash of its body
    Column("received_at", Moment, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("body", LargeBinary),
    Column("spool", Text),  # or the name of the file in the spool
    Column("request", Json),  # method, query, headers (allow-listed), remote
    Column("label", String(20), nullable=False),  # "", ping, test, spam, unsigned, broken, oversized
    Column("state", String(12), nullable=False),  # new, done, failed, duplicate, kept
    Column("duplicate_of", BigInteger),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("text", Json),  # why it was labelled or failed, {en, ru}
    Column("processed_at", Moment),
    Index(
        "uq_inbox_connection_key",
        "connection",
        "key",
        unique=True,
        sqlite_where=text("duplicate_of IS NULL"),
    ),
    Index(
        "ix_inbox_new",
        "state",
        "connection",
        sqlite_where=text("state = 'new'"),
    ),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection", String(64), nullable=False),
    Column("native_kind", String(32), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("stage", String(10), nullable=False),  # intake (came in and could not be taken), delivery (could not go out)
    Column("record_uid", String(36)),
    Column("inbox_id", BigInteger),
    Column("code", String(48), nullable=False),
    Column("field", Text, nullable=False, server_default=""),
    Column("text", Json, nullable=False),  # {en, ru}
    Column("remedy", Json),
    Column("data", Json),
    Column("raw", LargeBinary),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("state", String(8), nullable=False),  # open, retry, closed
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("next_at", Moment),
    Index(
        "uq_quarantine_open",
        "connection",
        "native_kind",
        "external_id",
        "stage",
        unique=True,
        sqlite_where=text("state <> 'closed'"),
    ),
)

cursor = Table(
    "cursor",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("native_kind", String(32), primary_key=True),
    Column("cursor", Json),
    Column("updated_at", Moment, nullable=False),
    Column("fingerprint", String(64)),  # of the filter that the cursor was made with
    Column("whole", String(64)),  # the filter of the last complete scan: who was missing from it is known
    Column("full_at", Moment),  # when everything is to be listed again
)

translated = Table(
    "translated",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("native_kind", String(32), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # of the mapping that the stored records were read with
    Column("wanted", String(64)),  # the new mapping, while they are being read with it
    Column("done", BigInteger, nullable=False, server_default="0"),  # links up to this id have been
)

session = Table(
    "session",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("sid", String(80), primary_key=True),
    Column("data", Json, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

spool = Table(
    "spool",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("area", String(80), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("file", String(80), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("inbox_id", BigInteger, ForeignKey("inbox.id")),
)
