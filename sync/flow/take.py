"""Arrivals out of the inbox: unpacked into records, each absorbed in a transaction of its own, trouble kept apart.

An arrival is done only when each of its records was taken or is in quarantine. After a crash it is taken again from its
beginning: what had been absorbed is recognised by its hash.
"""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Iterator
from typing import IO, Any

import sqlalchemy as sa

from adapters.base import Arrival, Hint, Problem, Record, Unchanged
from sync.errors import NeedHuman, RecordRefused
from sync.flow import absence, deliver, told, trouble
from sync.flow.bulk import BULK_KINDS, CHUNK, absorb_page
from sync.flow.bulk_plain import known_by_now, without_known
from sync.flow.known import rename
from sync.flow.one import UNEXPECTED, gone_record, refused, take_one
from sync.flow.plug import Cause, Counts, Plug, Seen, Took, World
from sync.flow.retry import retry
from sync.flow.seen import changed
from sync.intake.spool import Spool
from sync.store.asked import HERE, MOST, THIS
from sync.store.tables import inbox, quarantine
from sync.store.types import loads

# Of so many records less than one is news: each is worth a second look, before anything is begun for their sake
FEW = 10
# Records of a file that are held at once, and of its transactions: with prices and stock they are large
HELD = CHUNK // 2
PART = CHUNK // 4  # so many are at hand as fields and rows at a time
Item = Record | Problem | Hint | Unchanged
_TELL = 1.0  # seconds between two notes of how far a large arrival is
_ARRIVAL = sa.select(inbox).where(inbox.c.id == THIS)
_DONE = inbox.update().where(inbox.c.id == THIS)
_PENDING = (
    sa.select(inbox.c.id).where(inbox.c.state == "new", inbox.c.connection == HERE).order_by(inbox.c.id).limit(MOST)
)


def take(world: World, plug: Plug, spool: Spool, inbox_id: int, run_id: int | None = None) -> Counts:
    """Process one arrival; gives what became of its records. Errors of single records go to quarantine."""
    with world.store.read() as tx:
        row = tx.execute(_ARRIVAL, {"this": inbox_id}).one()
    counts = Counts()
    if row.state != "new":
        return counts
    polled = row.via == "poll"
    cause = Cause(run_id, inbox_id, row.received_at if polled else None, polled and row.key.startswith(absence.KEY))
    state, text = "done", None
    try:
        held_id, held = world.held.pop(plug.name, (0, []))
        if held_id == inbox_id:
            for at in range(0, len(held), CHUNK):
                page = held[at : at + CHUNK]
                counts.merge(_take_records(world, plug, [seen.record for seen in page], cause, page))
        else:
            noted = time.monotonic()
            for items in chunks(_items(plug, spool, row)):
                if counts.read and time.monotonic() - noted > _TELL:
                    _progress(world, inbox_id, counts.read)
                    noted = time.monotonic()
                counts.merge(take_chunk(world, plug, items, cause))
                if (lost := next((i.error for i in items if isinstance(i, Problem) and i.cut), None)) is not None:
                    state, text = "failed", {"en": lost.text.en, "ru": lost.text.ru}
    except (RecordRefused, NeedHuman) as error:  # the arrival as a whole cannot be read
        state, text = "failed", {"en": error.text.en, "ru": error.text.ru}
        counts.add("failed")
        with world.store.begin() as tx:
            trouble.refuse(tx, plug.name, "arrival", f"{row.id} {row.name}", error, world.now(), inbox_id=inbox_id)
    if state == "done" and counts.failed and row.via == "exchange":
        text = _not_taken(world, inbox_id, counts.failed)
    if counts.new or counts.same:  # same: what it brought may have been taken by a process that died before this line
        _take_waiting(world, plug, run_id)
    with world.store.begin(durable=False) as tx:
        values = {"state": state, "done": counts.read, "processed_at": world.now(), "text": text or row.text}
        tx.execute(_DONE, {"this": inbox_id, **values})
        if state == "done" and row.via != "poll":
            trouble.passed(tx, plug.name, "arrival", f"{row.id} {row.name}", world.now())
    return counts


def _not_taken(world: World, inbox_id: int, number: int) -> dict[str, str] | None:
    """For the sender of a file that was taken but for some of its records: how many, and what is wrong with the first."""
    query = sa.select(quarantine.c.text).where(quarantine.c.inbox_id == inbox_id, quarantine.c.state != "closed")
    with world.store.read() as tx:
        first = tx.execute(query.order_by(quarantine.c.id).limit(1)).scalar()
    if first is None:
        return None
    return {"en": f"records not taken: {number}; {first['en']}", "ru": f"не принято записей: {number}; {first['ru']}"}


def _items(plug: Plug, spool: Spool, row: Any) -> Iterator[Item]:
    if row.via == "poll":
        if row.request:  # one record with its raw source
            one = row.request
            yield Record(one["kind"], one["id"], one["data"], one["version"], one["deleted"])
        else:
            for one in loads(row.body):
                yield Record(one[0], one[1], one[2], one[3], one[4])
        return
    yield from plug.adapter.unpack(arrival_of(spool, row))


def _take_waiting(world: World, plug: Plug, run_id: int | None) -> None:
    """Records that came before what they belong to are tried again, now that something new has come."""
    with world.store.read() as tx:
        rows = tx.execute(
            sa.select(quarantine.c.id, quarantine.c.native_kind, quarantine.c.data)
            .where(
                quarantine.c.connection == plug.name,
                quarantine.c.code == "offer.no_product",
                quarantine.c.state != "closed",
            )
            .order_by(quarantine.c.id)
        ).all()
        ids = known_by_now(world, tx, plug, rows)
    for id in ids:
        retry(world, plug, id, run_id)


def pending(world: World, connection: str, limit: int = 100) -> list[int]:
    """Arrivals that wait to be taken, oldest first."""
    with world.store.read() as tx:
        return list(tx.execute(_PENDING, {"here": connection, "most": limit}).scalars())


def arrival_of(spool: Spool, row: Any) -> Arrival:
    """An inbox row as the adapter sees it."""

    def opened() -> IO[bytes]:
        return spool.open_file(row.spool) if row.spool else io.BytesIO(row.body or b"")

    request = row.request or {}
    return Arrival(
        name=row.name,
        method=request.get("method", "POST"),
        query=request.get("query", {}),
        headers=request.get("headers", {}),
        remote=request.get("remote", ""),
        at=row.received_at,
        size=row.size,
        open=opened,
    )


def chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    """At most HELD neighbours of one kind together, in their order."""
    for _, group in itertools.groupby(items, lambda i: (type(i), i.kind)):
        while part := list(itertools.islice(group, HELD)):
            yield part


def take_chunk(world: World, plug: Plug, items: list[Item], cause: Cause) -> Counts:
    """Some neighbours of one kind."""
    counts = Counts()
    records: list[Record] = []
    for item in items:
        if isinstance(item, Problem):
            with world.store.begin() as tx:
                trouble.refuse(
                    tx,
                    plug.name,
                    item.kind,
                    item.id,
                    item.error,
                    world.now(),
                    inbox_id=cause.inbox_id,
                    raw=item.raw or None,
                )
            counts.add("failed")
        elif isinstance(item, Unchanged):
            counts.add("same", item.number)
        elif isinstance(item, Hint):
            counts.add(_follow(world, plug, item, cause, counts))
        else:
            records.append(item)
    for part in _each_once(records):
        counts.merge(_take_records(world, plug, part, cause))
    return counts


def _each_once(records: list[Record]) -> Iterator[list[Record]]:
    """In parts that name no record twice: whether the second says anything new is known when the first one is taken."""
    part: dict[str, Record] = {}
    for rec in records:
        if rec.id in part:
            yield list(part.values())
            part = {}
        part[rec.id] = rec
    if part:
        yield list(part.values())


def _take_records(
    world: World, plug: Plug, records: list[Record], cause: Cause, page: list[Seen] | None = None
) -> Counts:
    """Records of one kind. `page`: the same ones, where they have been compared with their shadows just now."""
    counts = Counts()
    if records[0].kind in plug.adapter.capabilities.creates:
        deliver.adopt(world, plug, records, cause.run_id)
    lens = plug.mapping.lenses.get(records[0].kind)
    if lens is not None and lens.kind in BULK_KINDS and len(records) == 1 and _no_news(world, plug, records):
        counts.add("skipped")
        return counts
    if lens is not None and len(records) > 1:
        rest = page
        if rest is None:
            with world.store.read() as tx:
                rest = changed(world, tx, plug, records)
                counts.add("same", len(records) - len(rest))
                differing = {seen.record.id for seen in rest}
                if lens.kind in BULK_KINDS and len(rest) * FEW < len(records):
                    news = without_known(world, tx, plug, rest)
                    counts.add("skipped", len(rest) - len(news))
                    rest = news
            rename(world, plug, [rec for rec in records if rec.version and rec.id not in differing])
        else:
            counts.add("same", len(records) - len(rest))
        if rest and lens.kind in BULK_KINDS:
            took = _at_once(world, plug, rest, cause)
            counts.merge(took.counts)
            rest = took.rest
        records = [seen.record for seen in rest]
    gone = [rec for rec in records if rec.deleted]
    if gone and not cause.sure and told.hold(world, plug, gone):
        counts.add("skipped", len(gone))
        records = [rec for rec in records if not rec.deleted]
    for rec in records:
        counts.add(take_one(world, plug, rec, cause, weighed=True))
    return counts


def _no_news(world: World, plug: Plug, records: list[Record]) -> bool:
    """Whether a catalogue's record by itself waits for its product just as it is, or was deleted before it was ever seen."""
    with world.store.read() as tx:
        differing = changed(world, tx, plug, records)
        return bool(differing) and not without_known(world, tx, plug, differing)


def _at_once(world: World, plug: Plug, page: list[Seen], cause: Cause) -> Took:
    """The plain ones of a page in one transaction; the rest is left. One that spoils the page sends all of them the
    ordinary way, where it is found."""
    try:
        with world.store.begin(durable=False) as tx:
            world.guard(tx)
            took = Took()
            for at in range(0, len(page), PART):
                part = absorb_page(world, tx, plug, page[at : at + PART], cause)
                took.counts.merge(part.counts)
                took.rest += part.rest
            return took
    except UNEXPECTED:
        return Took(rest=page)


def _follow(world: World, plug: Plug, hint: Hint, cause: Cause, counts: Counts) -> str:
    """A hint only makes the record be read again; where it has no id, the next poll looks anyway."""
    if not hint.id or hint.kind not in plug.adapter.capabilities.reads:
        world.wake(plug.name)
        return "skipped"
    try:
        rec = plug.adapter.read(hint.kind, hint.id)
    except (RecordRefused, NeedHuman) as error:
        return refused(world, plug, Record(hint.kind, hint.id, {}), error, cause)
    if rec is None:
        lost = gone_record(world, plug, hint.kind, hint.id)
        return "skipped" if lost is None else take_one(world, plug, lost, cause)
    deliver.adopt(world, plug, [rec], cause.run_id)
    return take_one(world, plug, rec, cause)


def _progress(world: World, inbox_id: int, done: int) -> None:
    with world.store.begin(durable=False) as tx:
        tx.execute(inbox.update().where(inbox.c.id == inbox_id).values(done=done))
