"""What changed, what is to be changed, and what waits for a person before it is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from sync.store.tables.schema import Id, metadata
from sync.store.types import Json, Moment

journal = Table(
    "journal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("run_id", BigInteger),
    Column("record_uid", String(36), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("connection", String(64), nullable=False),  # whose side changed; "hub" for the canonical record
    Column("why", String(24), nullable=False),  # created, observed, owner, prefer, join, human, fact
    Column("who", Text, nullable=False),
    Column("inbox_id", BigInteger),  # the arrival that caused it
    Column("changes", Json, nullable=False),  # {field: [before, after]}; of a creation {field: after}
    Column("link_id", BigInteger),  # of what one link showed or was written (see sync/flow/sides.py)
    Index("ix_journal_record", "record_uid"),
)

intent = Table(
    "intent",
    metadata,
    Column("id", String(36), primary_key=True),  # also the correlation key on the other side
    Column("record_uid", String(36), nullable=False),
    Column("link_id", BigInteger),
    Column("connection", String(64), nullable=False),
    Column("native_kind", String(32), nullable=False),
    Column("op", String(8), nullable=False),  # create, update, delete, offer
    Column("data", Json, nullable=False),  # native fields to set
    Column("fields", Json, nullable=False),  # canonical values that they stand for
    Column("why", Json, nullable=False),  # {field: reason}
    Column("state", String(10), nullable=False),  # planned, sending, offered, done, refused, dropped, unknown
    Column("number", String(32)),
    Column("batch", String(36)),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("done_at", Moment),
    Column("run_id", BigInteger),
    Column("error", Json),
    Column("plan_id", String(36)),  # the plan that it waits for, or was approved with
    Column("needs", String(36)),  # the record that must exist there first
    Column("sent_at", Moment),  # when it was called last
    Index(
        "ix_intent_open",
        "state",
        "connection",
        sqlite_where=text("state NOT IN ('done', 'dropped')"),
    ),
    Index("ix_intent_record", "record_uid"),
    Index("ix_intent_run", "run_id", sqlite_where=text("run_id IS NOT NULL")),
)

plan = Table(
    "plan",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("connection", String(64), nullable=False),  # "" for all of them
    Column("reason", String(24), nullable=False),  # asked, first_run, divergence; deletes, gone, told with the kind
    Column("state", String(10), nullable=False),  # waiting, approved, applied, stale, dropped
    Column("hash", String(64), nullable=False),  # of what it would do, without made ids and times
    Column("content", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("who", Text),
    Column("decided_at", Moment),
    Column("closed_at", Moment),
    Column("text", Json),  # why it became stale, {en, ru}
    Index(
        "ix_plan_open",
        "state",
        "connection",
        sqlite_where=text("state IN ('waiting', 'approved')"),
    ),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", Id, primary_key=True),
    Column("record_uid", String(36), nullable=False),
    Column("field", String(64), nullable=False),
    Column("cause", String(24), nullable=False),  # see sync.reconcile.Conflict; deleted_edited
    Column("who", Json),  # the sides, or the person, whose moves brought it about
    Column("sides", Json, nullable=False),  # {side: value}
    Column("base", Json),
    Column("state", String(10), nullable=False),  # open, decided, gone
    Column("decision", Json),
    Column("since", Moment, nullable=False),
    Column("closed_at", Moment),
    Index(
        "uq_conflict_open",
        "record_uid",
        "field",
        unique=True,
        sqlite_where=text("state = 'open'"),
    ),
)

edit = Table(
    "edit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("record_uid", String(36), nullable=False),
    Column("field", String(64), nullable=False),
    Column("value", Json),
    Column("reason", Text),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(8), nullable=False),  # pending, applied, dropped
    Column("text", Json),  # why it was dropped
)
