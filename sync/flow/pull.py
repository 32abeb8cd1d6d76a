"""Polling: pages come in, what differs from its shadow is stored raw together with the cursor, then taken.

The cursor is committed in the same transaction as the page, so it never passes unread data; a crash after that finds the
page in the inbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from orjson import Fragment
from sqlalchemy.engine import Connection

from adapters.base import Page, Record
from sync.flow import trouble
from sync.flow.bulk import BULK_KINDS, CHUNK, changed
from sync.flow.plug import Counts, Plug, Seen, World
from sync.intake import inbox as inbox_rows
from sync.intake.inbox import Incoming
from sync.intake.spool import Spool
from sync.store import points
from sync.store.tables import cursor, link, record
from sync.store.types import dump_bytes

_CHUNK_BYTES = 1 << 20


def pull(world: World, plug: Plug, kind: str, after_page: Callable[[], None]) -> Counts:
    """Read one kind of one connection from its cursor to the end mark; counts only what was the same as before.

    `after_page` is called when something new is on disk, and at the end: it takes what waits in the inbox.
    """
    counts = Counts()
    points.reach(f"call:{plug.name}.scan:before")
    asked = world.now()
    for page in _together(plug, kind, plug.adapter.scan(kind, read_cursor(world, plug.name, kind))):
        known = store_page(world, plug, kind, page, asked)
        counts.merge(known)
        if known.read < len(page.records):
            after_page()
        asked = world.now()
    after_page()
    world.held.pop(plug.name, None)
    return counts


def _together(plug: Plug, kind: str, pages: Iterable[Page]) -> Iterator[Page]:
    """Small pages of a catalogue are joined to ones of at least CHUNK records; all others pass as they come.

    What was read before an error is given before it is raised.
    """
    size = CHUNK if plug.mapping.lens(kind).kind in BULK_KINDS else 0
    held: Page | None = None
    try:
        for page in pages:
            points.reach(f"call:{plug.name}.scan:after")
            held = replace(page, records=[*held.records, *page.records]) if held else page
            if len(held.records) >= size:
                yield held
                held = None
    except Exception:
        if held:
            yield held
        raise
    if held:
        yield held


def store_page(world: World, plug: Plug, kind: str, page: Page, asked: datetime) -> Counts:
    """Store what differs from its shadow together with the cursor; counts what need not be taken. `asked`: when the page
    was asked for."""
    counts = Counts()
    with world.store.read() as tx:
        moved = changed(world, tx, plug, page.records) if page.records else []
        waiting = trouble.waiting_as_they_are(tx, plug.name, [seen.record for seen in moved])
        news = [seen for seen in moved if (seen.record.kind, seen.record.id) not in waiting]
        old = _cursor(tx, plug.name, kind)
    counts.add("same", len(page.records) - len(moved))
    counts.add("skipped", len(moved) - len(news))
    if news or old != page.cursor:
        with world.store.begin() as tx:
            world.guard(tx)
            stored = inbox_rows.put(tx, _incoming(world, plug, kind, news, asked))
            _save_cursor(world, tx, plug.name, kind, page.cursor)
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
            sa.select(link.c.external_id, record.c.stage, record.c.kind, record.c.created_at)
            .join(record, record.c.uid == link.c.record_uid)
            .where(link.c.connection == plug.name, link.c.native_kind == kind, link.c.deleted_at.is_(None))
            .order_by(link.c.id)
        ).all()
    closed = {s.name for p in world.config.pipelines for s in p.stages if s.semantic != "open"}
    wanted = [r.external_id for r in rows if r.stage not in closed or r.created_at.timestamp() > since]
    for id in wanted:
        points.reach(f"call:{plug.name}.read:before")
        asked = world.now()
        rec = plug.adapter.read(kind, id)
        points.reach(f"call:{plug.name}.read:after")
        found = rec if rec is not None else _gone(world, plug, kind, id)
        if found is not None:
            page = Page([found], read_cursor(world, plug.name, kind) or {})
            counts.merge(store_page(world, plug, kind, page, asked))
    after_page()
    return counts


def collect(world: World, plug: Plug, spool: Spool) -> int:
    """Fetch whole arrivals (files of a folder): stored first, archived there afterwards. Gives their number."""
    number = 0
    for arrival in plug.adapter.collect():
        with arrival.open() as stream:
            file, size = spool.save(iter(lambda: stream.read(_CHUNK_BYTES), b""))
        points.reach(f"call:{plug.name}.collect:before")
        incoming = Incoming(
            plug.name, "file", arrival.name, world.now(), spool=file, size=size, key=f"file:{_digest(spool, file)}"
        )
        with world.store.begin() as tx:
            inbox_rows.put(tx, [incoming])
        points.reach(f"call:{plug.name}.collected:before")
        plug.adapter.collected(arrival)
        points.reach(f"call:{plug.name}.collected:after")
        number += 1
    return number


def _digest(spool: Spool, file: str) -> str:
    digest = hashlib.sha256()
    with spool.open_file(file) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _gone(world: World, plug: Plug, kind: str, id: str) -> Record | None:
    """A record that its system answers "gone for good" about: its last shadow, marked as deleted."""
    with world.store.read() as tx:
        row = tx.execute(
            sa.select(link.c.shadow, link.c.version).where(
                link.c.connection == plug.name, link.c.native_kind == kind, link.c.external_id == id
            )
        ).first()
    return Record(kind, id, row.shadow, row.version, deleted=True) if row is not None and row.shadow else None


def read_cursor(world: World, connection: str, kind: str) -> dict[str, Any] | None:
    with world.store.read() as tx:
        return _cursor(tx, connection, kind)


def _cursor(tx: Connection, connection: str, kind: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = tx.execute(
        sa.select(cursor.c.cursor).where(cursor.c.connection == connection, cursor.c.native_kind == kind)
    ).scalar()
    return found


def _save_cursor(world: World, tx: Connection, connection: str, kind: str, value: dict[str, Any]) -> None:
    where = (cursor.c.connection == connection, cursor.c.native_kind == kind)
    done = tx.execute(cursor.update().where(*where).values(cursor=value, updated_at=world.now()))
    if done.rowcount == 0:
        tx.execute(
            cursor.insert().values(connection=connection, native_kind=kind, cursor=value, updated_at=world.now())
        )


def _incoming(world: World, plug: Plug, kind: str, news: list[Seen], asked: datetime) -> list[Incoming]:
    """One row for the page; a record with a raw source of its own (a letter) gets its own row."""
    now = world.now()
    plain = [seen for seen in news if not seen.record.raw]
    rows = [
        Incoming(
            plug.name,
            "poll",
            f"{kind}/{r.id}",
            asked,
            body=r.raw,
            key=f"poll:{kind}:{r.id}:{digest.hex()}:{now.timestamp()}",
            request={"kind": r.kind, "id": r.id, "data": r.data, "version": r.version, "deleted": r.deleted},
        )
        for r, _, digest, _ in news
        if r.raw
    ]
    if plain:
        body = dump_bytes([[r.kind, r.id, Fragment(shadow), r.version, r.deleted] for r, shadow, _, _ in plain])
        first = plain[0]
        name = f"{kind}/{first.record.id}" if len(plain) == 1 else f"{kind}: {len(plain)}"
        key = f"poll:{kind}:{first.record.id}:{first.hash.hex()}:{now.timestamp()}"
        rows.append(Incoming(plug.name, "poll", name, asked, body=body, key=key))
    return rows
