"""Catalogues and first loads: records that need no client and concern one side only go in by the page, not one by one.

A page is looked up at once, compared by hash, and what is new is inserted in batches. What has changed, and whatever touches a
second system, takes the ordinary way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.flow.plug import Cause, Plug, Seen, World, storable
from sync.flow.translate import columns, observed
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import PLAIN, dump_bytes, dumps, stamp

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
    "untold",
)
_RECORD = ("uid", "kind", "number", "title", "data", "created_at", "updated_at")
_JOURNAL = ("at", "run_id", "inbox_id", "record_uid", "kind", "connection", "why", "who", "changes")


_KNOWN = "SELECT external_id, shadow_hash, id FROM link WHERE connection = ? AND native_kind = ? AND external_id"


def known_links(world: World, tx: Connection, plug: Plug, native_kind: str, ids: Iterable[str]) -> Sequence[Any]:
    """(external id, shadow hash, link id) of the links among these ids: one look-up for the whole page. The hash is None
    where nothing has been observed yet."""
    return _among(world, tx, _KNOWN, (plug.name, native_kind), ids)


def _among(world: World, tx: Connection, sql: str, values: tuple[str, ...], wanted: Iterable[str]) -> Sequence[Any]:
    """Rows of a query whose last column is among those wanted: one parameter, however many there are. Straight from the
    driver: at a page that has not changed, making rows of them would cost as much as finding them."""
    driver: Any = tx.connection.driver_connection
    if world.store.sqlite:
        found = driver.execute(f"{sql} IN (SELECT value FROM json_each(?))", (*values, dumps(list(wanted))))
    else:
        found = driver.execute(f"{sql.replace('?', '%s')} = ANY(%s)", (*values, list(wanted)))
    rows: Sequence[Any] = found.fetchall()
    return rows


def changed(
    world: World, tx: Connection, plug: Plug, records: Sequence[Record], listed: bytearray | None = None
) -> list[Seen]:
    """Those that differ from their shadow, and those that are not known. `listed` gets a mark for each link among them."""
    news: list[Seen] = []
    kinds = {r.kind for r in records}
    for kind in kinds:
        some = records if len(kinds) == 1 else [r for r in records if r.kind == kind]
        found = known_links(world, tx, plug, kind, [r.id for r in some])
        last = len(listed) if listed is not None else 0
        known: dict[str, bytes | None] = {}
        for name, digest, id in found:
            known[name] = digest
            if id < last:  # a younger link was made while the scan was under way
                listed[id] = 1  # type: ignore[index]
        news += _differing(plug, kind, some, known)
    return news


def _differing(plug: Plug, kind: str, records: Sequence[Record], known: dict[str, bytes | None]) -> list[Seen]:
    """The hot loop: a microsecond here is a second of a pass over a million records. This is Plug.hash(), written
    out."""
    news: list[Seen] = []
    salt, dump, hashed = plug.salt(kind), orjson.dumps, hashlib.blake2b
    for rec in records:
        exact = True
        try:
            shadow = dump(rec.data, None, PLAIN)
        except TypeError:  # Decimals, or what no JSON can hold
            rec, shadow, exact = *_stored_form(rec), False
        digest = plug.hash(rec, shadow) if rec.deleted else hashed(shadow, digest_size=16, key=salt).digest()
        if known.get(rec.id) != digest:
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
    known = {row[0] for row in known_links(world, tx, plug, kind, [seen.record.id for seen in page])}
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
    records, bindings, notes = [], [], []
    for uid, ((rec, shadow, digest, _), fields) in zip(new_uids(len(fresh)), fresh, strict=True):
        data, cells = dumps(fields), columns(kind, fields)
        records.append((uid, kind, cells.get("number"), cells.get("title"), data, now, now))
        bindings.append(
            (plug.name, native_kind, rec.id, uid, rec.version, shadow.decode(), digest, data, "linked", now, "[]")
        )
        notes.append((now, cause.run_id, cause.inbox_id, uid, kind, plug.name, "created", plug.name, data))
    world.store.insert_many(tx, record, _RECORD, records)
    world.store.insert_many(tx, link, _LINK, bindings)
    world.store.insert_many(tx, journal, _JOURNAL, notes)
