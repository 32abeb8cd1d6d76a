"""Catalogues and first loads: records that need no client and concern one side only go in by the page, not one by one.

A page is looked up at once, compared by hash, and what is new is inserted in batches. What has changed, and whatever touches a
second system, takes the ordinary way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.flow.plug import Cause, Plug, Seen, World, storable
from sync.flow.translate import columns, observed
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import dump_bytes, dump_plain, dumps, stamp

BULK_KINDS = frozenset({"product", "group", "price_type", "warehouse"})
CHUNK = 1000  # records of one transaction, below a tenth of a second; a commit costs as much as fifty of them
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
)
_RECORD = ("uid", "kind", "number", "title", "data", "created_at", "updated_at")
_JOURNAL = ("at", "run_id", "inbox_id", "record_uid", "kind", "connection", "why", "who", "changes")


def hashes(world: World, tx: Connection, plug: Plug, native_kind: str, ids: Iterable[str]) -> dict[str, bytes | None]:
    """Shadow hashes of the links among these ids (None: nothing observed yet): one look-up for the whole page."""
    sql = "SELECT external_id, shadow_hash FROM link WHERE connection = ? AND native_kind = ? AND external_id"
    return {row[0]: row[1] for row in _among(world, tx, sql, (plug.name, native_kind), ids)}


def _among(world: World, tx: Connection, sql: str, values: tuple[str, ...], wanted: Iterable[str]) -> Sequence[Any]:
    """Rows of a query whose last column is among those wanted: one parameter, however many there are."""
    if world.store.sqlite:
        found = tx.exec_driver_sql(f"{sql} IN (SELECT value FROM json_each(?))", (*values, dumps(list(wanted))))
    else:
        found = tx.exec_driver_sql(f"{sql.replace('?', '%s')} = ANY(%s)", (*values, list(wanted)))
    return found.all()


def changed(world: World, tx: Connection, plug: Plug, records: Sequence[Record]) -> list[Seen]:
    """Those that differ from their shadow, and those that are not known."""
    kinds = {r.kind for r in records}
    known = {k: hashes(world, tx, plug, k, [r.id for r in records if r.kind == k]) for k in kinds}
    news = []
    for rec in records:
        exact = True
        try:
            shadow = dump_plain(rec.data)
        except TypeError:  # Decimals, or what no JSON can hold
            rec, shadow, exact = *_stored_form(rec), False
        digest = plug.hash(rec, shadow)
        if known[rec.kind].get(rec.id) != digest:
            news.append(Seen(rec, shadow, digest, exact))
    return news


def _stored_form(rec: Record) -> tuple[Record, bytes]:
    try:
        return rec, dump_bytes(rec.data)
    except TypeError:
        rec = replace(rec, data=storable(rec.data))
        return rec, dump_bytes(rec.data)


def absorb_new(world: World, tx: Connection, plug: Plug, page: Sequence[Seen], cause: Cause) -> list[Seen]:
    """Insert the plain new ones of a page; gives back those that must go the ordinary way."""
    kind = page[0].record.kind
    lens = plug.mapping.lens(kind)
    known = hashes(world, tx, plug, kind, [seen.record.id for seen in page])
    rest: list[Seen] = []
    fresh: dict[str, tuple[Seen, dict[str, Any]]] = {}
    for seen in page:
        rec = seen.record
        found = None if rec.id in known or rec.deleted or rec.id in fresh else lens.get(rec.data)
        if found is None or found.problems:
            rest.append(seen)
        else:
            fresh[rec.id] = (seen, observed(world.config, plug, found, deleted=False, numbered=False))
    if lens.kind == "product":
        for id in _shared_articles(world, tx, fresh):
            rest.append(fresh.pop(id)[0])
    _insert(world, tx, plug, kind, lens.kind, list(fresh.values()), cause)
    return rest


def _shared_articles(world: World, tx: Connection, fresh: dict[str, tuple[Seen, dict[str, Any]]]) -> list[str]:
    """Those whose article exists already, here or twice in the page: they may be one product with another system's."""
    by_article: dict[str, list[str]] = {}
    for id, (_, fields) in fresh.items():
        if fields.get("sku"):
            by_article.setdefault(fields["sku"], []).append(id)
    if not by_article:
        return []
    sql = "SELECT number FROM record WHERE kind = ? AND number"
    taken = {row[0] for row in _among(world, tx, sql, ("product",), by_article)}
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
    records, links, notes = [], [], []
    for uid, ((rec, shadow, digest, _), fields) in zip(new_uids(len(fresh)), fresh, strict=True):
        data, cells = dumps(fields), columns(kind, fields)
        records.append((uid, kind, cells.get("number"), cells.get("title"), data, now, now))
        links.append((plug.name, native_kind, rec.id, uid, rec.version, shadow.decode(), digest, data, "linked", now))
        notes.append((now, cause.run_id, cause.inbox_id, uid, kind, plug.name, "created", plug.name, data))
    world.store.insert_many(tx, record, _RECORD, records)
    world.store.insert_many(tx, link, _LINK, links)
    world.store.insert_many(tx, journal, _JOURNAL, notes)
