"""A page of native records against what its links showed last: looked up at once, compared by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.flow.plug import Plug, Seen, World, storable
from sync.store.types import PLAIN, dump_bytes, dumps

_FEW = 1000
_KNOWN = "SELECT external_id, shadow_hash, id FROM link WHERE connection = ? AND native_kind = ? AND external_id"


def known_links(world: World, tx: Connection, plug: Plug, native_kind: str, ids: Iterable[str]) -> Sequence[Any]:
    """(external id, shadow hash, link id) of the links among these ids: one look-up for the whole page. The hash is None
    where nothing has been observed yet."""
    return among(world, tx, _KNOWN, (plug.name, native_kind), ids)


def among(world: World, tx: Connection, sql: str, values: tuple[str, ...], wanted: Iterable[str]) -> Sequence[Any]:
    """Rows of a query whose last column is among those wanted: one parameter, however many there are. Straight from the
    driver: at a page that has not changed, making rows of them would cost as much as finding them."""
    driver: Any = tx.connection.driver_connection
    if world.store.sqlite:
        found = driver.execute(f"{sql} IN (SELECT value FROM json_each(?))", (*values, dumps(list(wanted))))
    else:
        found = driver.execute(f"{sql.replace('?', '%s')} = ANY(%s)", (*values, list(wanted)))
    rows: Sequence[Any] = found.fetchall()
    return rows


def few_or_among(
    world: World, tx: Connection, queries: Sequence[str], values: tuple[str, ...], wanted: Sequence[str]
) -> set[str]:
    """Those wanted that any of the queries gives; of each the last condition is the bare name of its only column. Where they
    give few rows in all, these are read, instead of looking up each that is wanted."""
    few = " UNION ALL ".join(sql[: sql.rindex(" AND ")] for sql in queries) + f" LIMIT {_FEW}"
    rows = tx.exec_driver_sql(few if world.store.sqlite else few.replace("?", "%s"), values * len(queries)).fetchall()
    if len(rows) < _FEW:
        return {row[0] for row in rows}.intersection(wanted)
    return {row[0] for sql in queries for row in among(world, tx, sql, values, wanted)}


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
        held = known.get(rec.id, False)
        if held != digest:
            news.append(Seen(rec, shadow, digest, exact, held is not False))
    return news


def _stored_form(rec: Record) -> tuple[Record, bytes]:
    try:
        return rec, dump_bytes(rec.data)
    except TypeError:
        rec = replace(rec, data=storable(rec.data))
        return rec, dump_bytes(rec.data)
