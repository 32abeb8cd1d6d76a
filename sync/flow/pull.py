"""Polling: pages come in, what differs from its shadow is stored raw together with the cursor, then taken.

The cursor is committed in the same transaction as the page, so it never passes unread data; a crash after that finds the
page in the inbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import IO, Any

import sqlalchemy as sa
from orjson import Fragment
from sqlalchemy.engine import Connection

from adapters.base import Page, Record
from sync.errors import Incomplete, RecordRefused, Text
from sync.flow import absence, trouble
from sync.flow.bulk import BULK_KINDS, CHUNK
from sync.flow.plug import Counts, Plug, Seen, World
from sync.flow.seen import changed
from sync.intake import inbox as inbox_rows
from sync.intake import waiting
from sync.intake.inbox import Incoming
from sync.intake.spool import Spool
from sync.store import points
from sync.store.asked import HERE, KIND
from sync.store.tables import cursor, link, record
from sync.store.types import dump_bytes

_PLACE = (cursor.c.connection == HERE, cursor.c.native_kind == KIND)
_CURSOR = sa.select(cursor.c.cursor).where(*_PLACE)
_MOVE = cursor.update().where(*_PLACE)
_CHUNK_BYTES = 1 << 18  # what was read is hashed and written while it is at hand


def pull(world: World, plug: Plug, kind: str, after_page: Callable[[], None]) -> Counts:
    """Read one kind of one connection from its cursor to the end mark, at times from the beginning; counts only what was
    the same as before, and what the source contradicts itself about. Incomplete is raised when all that could be seen is
    stored and taken.

    `after_page` is called when something new is on disk, and at the end: it takes what waits in the inbox.
    """
    counts = Counts()
    if waiting.polled(world.store, plug.name):  # by a process that died: it would be stored once more
        after_page()
    walk = absence.begin(world, plug, kind)
    points.reach(f"call:{plug.name}.scan:before")
    asked, page = world.now(), None
    scanned = plug.adapter.scan(kind, walk.start)
    lacking: Incomplete | None = None
    try:
        for page in _together(plug, kind, (_each_once(world, plug, one, walk, counts) for one in scanned)):
            walk.empty = walk.empty and all(rec.deleted for rec in page.records)
            known = store_page(world, plug, kind, page, asked, walk)
            counts.merge(known)
            if known.read < len(page.records):
                after_page()
            asked = world.now()
    except Incomplete as error:
        lacking = error
    try:
        if page is not None and page.last and page.complete:
            absence.end(world, plug, walk)
    finally:
        after_page()
        world.held.pop(plug.name, None)
    if lacking is not None:
        raise lacking
    return counts


def _each_once(world: World, plug: Plug, page: Page, walk: absence.Walk, counts: Counts) -> Page:
    """A page that shows one id twice shows it once from here on; where the two differ, nobody knows which of them is true,
    and that record alone waits."""
    if len({rec.id for rec in page.records}) == len(page.records):
        return page
    found: dict[tuple[str, str], list[Record]] = {}
    for rec in page.records:
        found.setdefault((rec.kind, rec.id), []).append(rec)
    unlike = {id: some for id, some in found.items() if len({plug.hash(rec) for rec in some}) > 1}
    clear = [some[-1] for id, some in found.items() if id not in unlike]
    doubtful = sum(map(len, unlike.values()))
    counts.add("same", len(page.records) - doubtful - len(clear))
    counts.add("failed", len(unlike))
    counts.add("skipped", doubtful - len(unlike))
    walk.empty = False
    with world.store.read() as tx:
        fresh = {id: some for id, some in unlike.items() if not trouble.stands(tx, plug.name, some[0], _twins(some))}
        if walk.listed is not None:  # whatever it is, it is not gone
            changed(world, tx, plug, [some[0] for some in unlike.values()], walk.listed)
    for some in fresh.values():
        with world.store.begin() as tx:
            rec, now = some[0], world.now()
            trouble.refuse(
                tx, plug.name, rec.kind, rec.id, _contradiction(plug, rec, len(some)), now, data=_twins(some)
            )
    return replace(page, records=clear)


def _twins(some: list[Record]) -> dict[str, Any]:
    return {"twins": [trouble.kept(rec) for rec in some]}


def _contradiction(plug: Plug, rec: Record, times: int) -> RecordRefused:
    return RecordRefused(
        Text(
            f"{plug.name} shows {rec.kind} {rec.id} {times} times in one page, with different contents. It was not taken.",
            f"{plug.name} показывает {rec.kind} {rec.id} {times} раза на одной странице, и по-разному. Запись не принята.",
        ),
        code="scan.duplicate_id",
        field="id",
        remedy=Text(
            "Look for two records of the same id there. It is taken as soon as it is shown once.",
            "Найдите там записи с одинаковым id. Запись будет принята, как только она показана один раз.",
        ),
    )


def _together(plug: Plug, kind: str, pages: Iterable[Page]) -> Iterator[Page]:
    """Small pages of a catalogue are joined to ones of at least CHUNK records; all others pass as they come, and so does one
    that names a record again.

    What was read before an error is given before it is raised.
    """
    size = CHUNK if plug.mapping.lens(kind).kind in BULK_KINDS else 0
    held: Page | None = None
    try:
        for page in pages:
            points.reach(f"call:{plug.name}.scan:after")
            if held and not {rec.id for rec in held.records}.isdisjoint(rec.id for rec in page.records):
                yield held
                held = None
            held = replace(page, records=[*held.records, *page.records]) if held else page
            if len(held.records) >= size:
                yield held
                held = None
    except Exception:  # whatever ended the scan: what came before it is taken
        if held:
            yield held
        raise
    if held:
        yield held


def store_page(
    world: World, plug: Plug, kind: str, page: Page, asked: datetime, walk: absence.Walk | None = None
) -> Counts:
    """Store what differs from its shadow together with the cursor; counts what need not be taken. `asked`: when the page
    was asked for."""
    counts = Counts()
    with world.store.read() as tx:
        listed = walk.listed if walk is not None else None
        moved = changed(world, tx, plug, page.records, listed) if page.records else []
        known = trouble.waiting_as_they_are(tx, plug.name, [seen.record for seen in moved]) if moved else set()
        news = [seen for seen in moved if (seen.record.kind, seen.record.id) not in known]
        old = _cursor(tx, plug.name, kind)
    counts.add("same", len(page.records) - len(moved))
    counts.add("skipped", len(moved) - len(news))
    if news or old != page.cursor or (walk is not None and not walk.saved):
        with world.store.begin() as tx:
            world.guard(tx)
            rows = _incoming(world, plug, kind, news, asked)
            stored = inbox_rows.put(tx, [one for one in rows if not waiting.waits(tx, one)])
            _save_cursor(world, tx, plug.name, kind, page.cursor, walk)
        _hold(world, plug, news, stored)
    return counts


def _hold(world: World, plug: Plug, news: list[Seen], stored: list[inbox_rows.Stored]) -> None:
    """Keep a catalogue page at hand for `take`, if what it would read from the inbox is the very same."""
    alike = {(seen.record.kind, seen.exact, bool(seen.record.raw)) for seen in news}
    if len(stored) == len(alike) == 1 and stored[0].duplicate_of is None:
        kind, exact, raw = alike.pop()
        lens = plug.mapping.lenses.get(kind)
        if exact and not raw and lens is not None and lens.kind in BULK_KINDS:
            world.held[plug.name] = stored[0].id, news


def recheck(world: World, plug: Plug, kind: str, after_page: Callable[[], None], days: int = 30) -> Counts:
    """Read open and recent records again by id: not every change moves the stamp by which polling finds it."""
    counts = Counts()
    since = world.now().timestamp() - days * 86400
    with world.store.read() as tx:
        rows = tx.execute(
            sa.select(link.c.id, link.c.external_id, record.c.stage, record.c.kind, record.c.created_at)
            .join(record, record.c.uid == link.c.record_uid)
            .where(link.c.connection == plug.name, link.c.native_kind == kind, link.c.deleted_at.is_(None))
            .order_by(link.c.id)
        ).all()
    closed = {s.name for p in world.config.pipelines for s in p.stages if s.semantic != "open"}
    wanted = [r for r in rows if r.stage not in closed or r.created_at.timestamp() > since]
    lost: list[int] = []
    began = world.now()
    for row in wanted:
        points.reach(f"call:{plug.name}.read:before")
        asked = world.now()
        rec = plug.adapter.read(kind, row.external_id)
        points.reach(f"call:{plug.name}.read:after")
        if rec is None:
            lost.append(row.id)
        else:
            page = Page([rec], read_cursor(world, plug.name, kind) or {})
            counts.merge(store_page(world, plug, kind, page, asked))
    absence.gone(world, plug, kind, lost, began, len(wanted))
    after_page()
    return counts


def collect(world: World, plug: Plug, spool: Spool) -> int:
    """Fetch whole arrivals (files of a folder): stored first, archived there afterwards. Gives their number."""
    number = 0
    for arrival in plug.adapter.collect():
        # One that could not be archived comes once more. The same bytes in another version of the file are news: what they
        # say may have been otherwise in between
        digest = hashlib.sha256(dump_bytes([arrival.name, dict(arrival.headers)]))
        with arrival.open() as stream:
            file, size = spool.save(_read(stream, digest))
        points.reach(f"call:{plug.name}.collect:before")
        incoming = Incoming(
            plug.name, "file", arrival.name, world.now(), spool=file, size=size, key=f"file:{digest.hexdigest()}"
        )
        with world.store.begin() as tx:
            inbox_rows.put(tx, [incoming])
        points.reach(f"call:{plug.name}.collected:before")
        plug.adapter.collected(arrival)
        points.reach(f"call:{plug.name}.collected:after")
        number += 1
    return number


def _read(stream: IO[bytes], digest: Any) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        yield chunk


def read_cursor(world: World, connection: str, kind: str) -> dict[str, Any] | None:
    with world.store.read() as tx:
        return _cursor(tx, connection, kind)


def _cursor(tx: Connection, connection: str, kind: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = tx.execute(_CURSOR, {"here": connection, "kind": kind}).scalar()
    return found


def _save_cursor(
    world: World,
    tx: Connection,
    connection: str,
    kind: str,
    value: dict[str, Any],
    walk: absence.Walk | None = None,
) -> None:
    values: dict[str, Any] = {"cursor": value, "updated_at": world.now()}
    if walk is not None:
        values["fingerprint"] = walk.filter
        if walk.full_at is not None:
            values["full_at"] = walk.full_at
        walk.saved = True
    if tx.execute(_MOVE, {"here": connection, "kind": kind, **values}).rowcount == 0:
        tx.execute(cursor.insert(), {"connection": connection, "native_kind": kind, **values})


def _incoming(world: World, plug: Plug, kind: str, news: list[Seen], asked: datetime) -> list[Incoming]:
    """One row for the page; a record with a raw source of its own (a letter) gets its own row. The key's end tells a page
    that comes back with the same contents from one that waits still."""
    now = world.now().timestamp()
    rows = [
        Incoming(
            plug.name,
            "poll",
            f"{kind}/{r.id}",
            asked,
            body=r.raw,
            key=f"poll:{kind}:{r.id}:{digest.hex()}:{now}",
            request={"kind": r.kind, "id": r.id, "data": r.data, "version": r.version, "deleted": r.deleted},
        )
        for r, _, digest, *_ in news
        if r.raw
    ]
    plain = [seen for seen in news if not seen.record.raw]
    if plain:
        body = dump_bytes([[r.kind, r.id, Fragment(shadow), r.version, r.deleted] for r, shadow, *_ in plain])
        name = f"{kind}/{plain[0].record.id}" if len(plain) == 1 else f"{kind}: {len(plain)}"
        whole = hashlib.blake2b(b"".join(seen.hash for seen in plain), digest_size=16).hexdigest()
        rows.append(Incoming(plug.name, "poll", name, asked, body=body, key=f"poll:{kind}:{whole}:{now}"))
    return rows
