"""Who works on what, when it is due, and how it went."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from sync.store.tables.schema import Id, metadata
from sync.store.types import Json, Moment

run = Table(
    "run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection", String(64), nullable=False),
    Column("work", String(64), nullable=False),  # what was done: "scan order", "take", "deliver"
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("outcome", String(12), nullable=False),  # running, ok, idle, partial, waiting, failed, interrupted
    Column("read", Integer, nullable=False, server_default="0"),
    Column("new", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("same", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("writes", Integer, nullable=False, server_default="0"),
    Column("error", Json),
    Index("ix_run_work", "connection", "work", "id"),
    Index(
        "ix_run_open",
        "id",
        sqlite_where=text("outcome = 'running'"),
    ),
)

command = Table(
    "command",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("args", Json, nullable=False),
    Column("state", String(8), nullable=False),  # new, working, done
    Column("result", Json),
    Column("created_at", Moment, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

bucket = Table(
    "bucket",
    metadata,
    Column("account", String(160), primary_key=True),
    Column("next_at", Moment, nullable=False),  # the next call is allowed from here on
)

due = Table(
    "due",
    metadata,
    Column("name", String(160), primary_key=True),  # a piece of scheduled work
    Column("next_at", Moment, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
)

notice = Table(
    "notice",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # one notice per cause: "overdue:<task>:<due>"
    Column("at", Moment, nullable=False),
    Column("text", Json, nullable=False),
    Column("record_uid", String(36)),
)

setting = Table(
    "setting",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("value", Json),
)
