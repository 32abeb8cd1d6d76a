"""The tables. One schema for both databases; changed only by a migration.

A star: `record` is the canonical side, `link` binds it to one external record. Everything else is how it came about:
inbox (what arrived), journal (what changed), intent (what is to be written), and the queues for people.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sync.store.types import Json, Moment, money, quantity, unit_price

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself on SQLite

inbox = Table(
    "inbox",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
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

observation = Table(
    "observation",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(10), nullable=False),  # phone, email, inn, ogrn, kpp, name, company, domain
    Column("value", Text, nullable=False),  # canonical; of a name its skeleton
    Column("raw", Text, nullable=False),
    Column("client_uid", String(36), nullable=False),  # the card that it was seen on: a company or a person
    Column("source", Text, nullable=False),  # connection
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("record", Text, nullable=False, server_default=""),  # the source's record: native kind and id
    UniqueConstraint("kind", "value", "client_uid", "source", "record"),
    Index("ix_observation_client", "client_uid"),
)

# The resolver's view of the observations, computed: sync/identity/index.py makes the same tables in a private file too
identity_profile = Table(
    "identity_profile",
    metadata,
    Column("uid", String(36), primary_key=True),  # of the card
    Column("kind", String(8), nullable=False),  # company, person
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)

identity_key = Table(
    "identity_key",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("uid", String(36), primary_key=True),
    sqlite_with_rowid=False,
)

identity_job = Table(
    "identity_job",
    metadata,
    Column("person", String(36), primary_key=True),
    Column("company", String(36), primary_key=True),
    Column("since", String(32), nullable=False),
    Column("until", String(32), nullable=False),  # empty while it lasts
    Index("ix_identity_job_company", "company"),
    sqlite_with_rowid=False,
)

belongs = Table(
    "belongs",  # an event or record and the card that it was linked to; merges of cards are not written in here
    metadata,
    Column("thing", String(36), primary_key=True),  # of an activity, a lead, a deal, or a client's own record
    Column("what", String(8), nullable=False),  # activity, record
    Column("card", String(36)),
    Column("person", String(36)),  # the card of the person; the client's card may be a company's
    Column("rule", String(24), nullable=False),
    Column("evidence", Json, nullable=False),  # the keys that agreed and a sentence, {keys, en, ru}
    Column("source", String(64), nullable=False),  # connection
    Column("said", Json),  # what it shows of its sender, as the resolver reads it; a rebuild reads it again
    Column("who", Text, nullable=False),  # hub, or the person who decided
    Column("at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),  # when it happened: a rebuild takes things in this order
    Index("ix_belongs_card", "card"),
    Index("ix_belongs_person", "person"),
)

merge = Table(
    "merge",  # two cards that are one client; taking it back leaves what was there before
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kept", String(36), nullable=False),
    Column("gone", String(36), nullable=False),
    Column("rule", String(24), nullable=False),  # review, human, dedupe, or the rule that it rests on
    Column("why", Json, nullable=False),  # {en, ru}
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(8), nullable=False),  # stands, undone
    Column("undone_at", Moment),
    Column("undone_by", Text),
    Index("ix_merge_kept", "kept"),
    Index("ix_merge_gone", "gone"),
)

never_pair = Table(
    "never_pair",  # people said: never these two
    metadata,
    Column("id", String(36), primary_key=True),
    Column("card", String(36), nullable=False),
    Column("other", String(36)),  # the other card, or
    Column("signature", Text),  # the keys of a sender who has no card
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(8), nullable=False),  # stands, undone
    Column("undone_at", Moment),
    Column("undone_by", Text),
    Index("ix_never_pair_card", "card"),
    Index("ix_never_pair_other", "other"),
    Index("ix_never_pair_signature", "signature"),
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

journal = Table(
    "journal",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
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

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _Id, primary_key=True),
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

review = Table(
    "review",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("record_uid", String(36), nullable=False),  # the holding card under which the events lie meanwhile
    Column("reason", Json, nullable=False),
    Column("candidates", Json, nullable=False),  # [{uid, name, reason}]
    Column("state", String(8), nullable=False),  # open, decided
    Column("decision", Json),
    Column("created_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("signature", Text),  # of the question: the keys and name asked about; the same question is asked once
    Column("thing", String(36)),  # the event or record that raised it
    Index("ix_review_record", "record_uid"),
    Index("ix_review_signature", "signature"),
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

notice = Table(
    "notice",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # one notice per cause: "overdue:<task>:<due>"
    Column("at", Moment, nullable=False),
    Column("text", Json, nullable=False),
    Column("record_uid", String(36)),
)

run = Table(
    "run",
    metadata,
    Column("id", _Id, primary_key=True),
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

edit = Table(
    "edit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("record_uid", String(36), nullable=False),
    Column("field", String(64), nullable=False),
    Column("value", Json),
    Column("reason", Text),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(8), nullable=False),  # pending, applied, dropped
    Column("text", Json),  # why it was dropped
)

command = Table(
    "command",
    metadata,
    Column("id", _Id, primary_key=True),
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

setting = Table(
    "setting",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("value", Json),
)


def as_on_postgresql() -> None:
    """Let PostgreSQL make the same partial indexes. Told when such a database is opened: naming a dialect above would import
    it, for everybody who works on SQLite too."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if (where := index.dialect_options["sqlite"]["where"]) is not None:
                index.dialect_options["postgresql"]["where"] = where
