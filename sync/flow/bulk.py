"""Catalogues and first loads: records that need no client and concern one side only go in by the page, not one by one.

A page was looked up at once and compared by hash; what is new is inserted in batches; of offers (see bulk_offers) what has
changed, too. All else that has changed, and whatever touches a second system, takes the ordinary way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from sync.flow import trouble
from sync.flow.bulk_offers import absorb_offers
from sync.flow.look import spreads
from sync.flow.plug import Cause, Plug, Seen, Took, World
from sync.flow.seen import among, few_or_among
from sync.flow.translate import columns, observed
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import dump_buffer, stamp

BULK_KINDS = frozenset({"product", "group", "price_type", "warehouse", "offer"})
CHUNK = 2000  # records of one transaction, about a tenth of a second; a commit costs as much as fifty of them
_LINK = (
    "connection",
    "native_kind",
    "external_id",
    "record_uid",
    "version",
    "shadow",
    "shadow_hash",
    "base",
    "state",
    "first_seen",
    "untold",
)
_RECORD = ("uid", "kind", "number", "title", "data", "created_at", "updated_at")
_JOURNAL = ("at", "run_id", "inbox_id", "record_uid", "kind", "connection", "why", "who", "changes")
_OPEN = (
    "SELECT external_id FROM quarantine"
    " WHERE connection = ? AND native_kind = ? AND stage = 'intake' AND state <> 'closed' AND external_id"
)


def absorb_page(world: World, tx: Connection, plug: Plug, page: Sequence[Seen], cause: Cause) -> Took:
    """Take the plain ones of a page of one kind; gives what became of them, and those that must go the ordinary way."""
    kind = page[0].record.kind
    if plug.mapping.lens(kind).kind == "offer":
        took, passed = absorb_offers(world, tx, plug, page, cause)
    else:
        took, passed = _absorb_new(world, tx, plug, page, cause)
    if len(took.rest) > 1:  # in the order in which they came
        order = {id(seen): at for at, seen in enumerate(page)}
        took.rest.sort(key=lambda seen: order[id(seen)])
    if passed:  # what waited with a question has come without it
        now = world.now()
        for name in few_or_among(world, tx, [_OPEN], (plug.name, kind), passed):
            trouble.passed(tx, plug.name, kind, name, now)
    return took


def _absorb_new(world: World, tx: Connection, plug: Plug, page: Sequence[Seen], cause: Cause) -> tuple[Took, list[str]]:
    """Insert the plain new ones; their ids."""
    kind = page[0].record.kind
    lens = plug.mapping.lens(kind)
    took = Took()
    if spreads(world, plug.name, lens.kind):
        took.rest += page
        return took, []
    times = Counter(seen.record.id for seen in page)
    fresh: dict[str, tuple[Seen, dict[str, Any]]] = {}
    for seen in page:
        rec = seen.record
        plain = not seen.linked and times[rec.id] == 1
        if plain and rec.deleted:
            took.counts.add("skipped")  # it was deleted before it was ever seen
            continue
        found = lens.get(rec.data) if plain else None
        if found is None or found.problems:
            took.rest.append(seen)
        else:
            fresh[rec.id] = (seen, observed(world.config, plug, found, deleted=False, numbered=False))
    if lens.kind == "product":
        for id in _shared_articles(world, tx, fresh):
            took.rest.append(fresh.pop(id)[0])
    _insert(world, tx, plug, kind, lens.kind, list(fresh.values()), cause)
    took.counts.add("new", len(fresh))
    return took, list(fresh)


def _shared_articles(world: World, tx: Connection, fresh: dict[str, tuple[Seen, dict[str, Any]]]) -> list[str]:
    """Those whose article exists already, here or twice in the page: they may be one product with another system's."""
    by_article: dict[str, list[str]] = {}
    for id, (_, fields) in fresh.items():
        if fields.get("sku"):
            by_article.setdefault(fields["sku"], []).append(id)
    if not by_article:
        return []
    sql = "SELECT number FROM record WHERE kind = ? AND number"
    taken = {row[0] for row in among(world, tx, sql, ("product",), by_article)}
    return [id for article, ids in by_article.items() if article in taken or len(ids) > 1 for id in ids]


def _insert(
    world: World,
    tx: Connection,
    plug: Plug,
    native_kind: str,
    kind: str,
    fresh: list[tuple[Seen, dict[str, Any]]],
    cause: Cause,
) -> None:
    now = stamp(world.now())
    records, bindings, notes, nothing = [], [], [], dump_buffer([])
    for uid, (seen, fields) in zip(new_uids(len(fresh)), fresh, strict=True):
        rec, data, cells = seen.record, dump_buffer(fields), columns(kind, fields)
        records.append((uid, kind, cells.get("number"), cells.get("title"), data, now, now))
        shown = (rec.version, bytearray(seen.shadow), bytearray(seen.hash), data)
        bindings.append((plug.name, native_kind, rec.id, uid, *shown, "linked", now, nothing))
        notes.append((now, cause.run_id, cause.inbox_id, uid, kind, plug.name, "created", plug.name, data))
    world.store.insert_many(tx, record, _RECORD, records)
    world.store.insert_many(tx, link, _LINK, bindings)
    world.store.insert_many(tx, journal, _JOURNAL, notes)
