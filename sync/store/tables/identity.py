"""Who is who: what was seen of clients, whose each thing is, and what people said about that."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint

from sync.store.tables.schema import Id, metadata
from sync.store.types import Json, Moment

observation = Table(
    "observation",
    metadata,
    Column("id", Id, primary_key=True),
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

review = Table(
    "review",
    metadata,
    Column("id", Id, primary_key=True),
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
