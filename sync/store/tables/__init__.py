"""The tables. One schema for both databases; changed only by a migration.

A star: `record` is the canonical side, `link` binds it to one external record. Everything else is how it came about:
inbox (what arrived), journal (what changed), intent (what is to be written), and the queues for people.
"""

from sync.store.tables.changes import conflict, edit, intent, journal, plan
from sync.store.tables.identity import (
    belongs,
    identity_job,
    identity_key,
    identity_profile,
    merge,
    never_pair,
    observation,
    review,
)
from sync.store.tables.intake import cursor, inbox, quarantine, session, spool, translated
from sync.store.tables.records import activity, document, link, price, record, stock, task
from sync.store.tables.running import bucket, command, due, lease, notice, run, setting
from sync.store.tables.schema import as_on_postgresql, metadata

__all__ = [
    "activity",
    "as_on_postgresql",
    "belongs",
    "bucket",
    "command",
    "conflict",
    "cursor",
    "document",
    "due",
    "edit",
    "identity_job",
    "identity_key",
    "identity_profile",
    "inbox",
    "intent",
    "journal",
    "lease",
    "link",
    "merge",
    "metadata",
    "never_pair",
    "notice",
    "observation",
    "plan",
    "price",
    "quarantine",
    "record",
    "review",
    "run",
    "session",
    "setting",
    "spool",
    "stock",
    "task",
    "translated",
]
