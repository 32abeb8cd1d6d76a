"""A changed mapping reads what is stored anew: from the shadows, without a call, in batches that a process may die between.

Nobody has edited anything. What reads otherwise now moves the record only where that side's word was the record's own;
where the record holds another value (a write there is under way, or the side has no say), only what counts as agreed with
the side moves along. Open conflicts stay, with the new reading in them. What changes is journalled as "mapping", and what
other systems are to be told goes the way of every write, approval included. Values that can be read now leave quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.errors import NeedHuman, RecordRefused
from sync.flow import sides, trouble
from sync.flow.absorb import absorb
from sync.flow.one import UNEXPECTED, unexpected
from sync.flow.plug import Cause, Counts, Plug, World
from sync.flow.retry import retry
from sync.flow.translate import canonical_kind, observed, pipeline_of, sale_price_keys
from sync.flow.weave import typed
from sync.lens import Lens, Translated
from sync.model.compare import same
from sync.store.tables import conflict, link, quarantine, record, translated
from sync.store.types import dump_bytes, dumps, loads

BATCH = 100  # links of one transaction: a third of a second where every one of them changes
_EXAMPLES = 5
# Said by other fields than the one of that name
_DERIVED = frozenset({"stage", "active", "archived", "price", "stock"})


def wanted(world: World, plug: Plug) -> list[str]:
    """The native kinds whose stored records were read with another mapping than today's. Kinds that are seen for the first
    time are taken down as they are."""
    if plug.name in world.renewed:
        return []
    with world.store.read() as tx:
        stale, unknown = _kinds(tx, plug)
    if unknown:
        with world.store.begin() as tx:
            world.guard(tx)
            world.store.lock_key(tx, f"translated:{plug.name}")
            for kind in _kinds(tx, plug)[1]:  # another work of the connection may have been quicker
                place = {"connection": plug.name, "native_kind": kind}
                tx.execute(translated.insert().values(**place, fingerprint=plug.mapping.print_of(kind)))
    if not stale:
        world.renewed.add(plug.name)
    return stale


def _kinds(tx: Connection, plug: Plug) -> tuple[list[str], list[str]]:
    """(kinds to be read anew, kinds that nothing is known of)."""
    rows = {r.native_kind: r for r in tx.execute(sa.select(translated).where(translated.c.connection == plug.name))}
    stale, unknown = [], []
    for kind in plug.mapping.lenses:
        row = rows.get(kind)
        if row is not None:
            if row.wanted is not None or row.fingerprint != plug.mapping.print_of(kind):
                stale.append(kind)
        elif _read_otherwise(tx, plug, kind):
            stale.append(kind)
        else:
            unknown.append(kind)
    return stale, unknown


def _read_otherwise(tx: Connection, plug: Plug, kind: str) -> bool:
    """Whether the first stored record of a kind was read with another mapping."""
    first = tx.execute(_stored(plug, kind).where(link.c.shadow_hash.is_not(None)).order_by(link.c.id).limit(1)).first()
    return first is not None and not sides.as_read(plug, first)


def _stored(plug: Plug, kind: str) -> Any:
    return sa.select(link).where(link.c.connection == plug.name, link.c.native_kind == kind, link.c.shadow.is_not(None))


def renew(world: World, plug: Plug, kind: str, run_id: int | None = None) -> Counts:
    """Read all stored records of one kind with today's mapping; goes on where a process that died had stopped."""
    counts, now = Counts(), plug.mapping.print_of(kind)
    place = (translated.c.connection == plug.name, translated.c.native_kind == kind)
    with world.store.begin() as tx:
        row = tx.execute(sa.select(translated).where(*place)).first()
        if row is None:
            values = {"connection": plug.name, "native_kind": kind, "fingerprint": "", "wanted": now}
            tx.execute(translated.insert().values(**values))
        elif row.wanted != now:  # the first time, or the mapping was changed once more on the way
            tx.execute(translated.update().where(*place).values(wanted=now, done=0))
    while True:
        with world.store.begin() as tx:
            world.guard(tx)
            done = tx.execute(sa.select(translated.c.done).where(*place)).scalar_one()
            batch = tx.execute(_stored(plug, kind).where(link.c.id > done).order_by(link.c.id).limit(BATCH)).all()
            if not batch:
                tx.execute(translated.update().where(*place).values(fingerprint=now, wanted=None, done=0))
                break
            _batch(world, tx, plug, kind, list(batch), run_id, counts)
            tx.execute(translated.update().where(*place).values(done=batch[-1].id))
    for id in _unread(world, plug, kind):
        retry(world, plug, id, run_id)
    return counts


def _batch(
    world: World, tx: Connection, plug: Plug, kind: str, batch: list[Any], run_id: int | None, counts: Counts
) -> None:
    reader = _Reader(world, tx, plug, kind)
    asked = reader.conflicts([one.record_uid for one in batch])
    hashed = plug.hasher(kind)
    for one in batch:
        found = reader.read(one)
        if one.state != "linked" or (one.record_uid not in asked and reader.alike(one, found)):
            digest = hashed(dump_bytes(one.shadow), one.deleted_at is not None)
            tx.execute(link.update().where(link.c.id == one.id).values(shadow_hash=digest))
            counts.add("same")
            continue
        save = tx.begin_nested()
        try:
            _follow(tx, reader, one, found, asked.get(one.record_uid, set()))
            rec = _record_of(one)
            outcome = absorb(world, tx, plug, rec, Cause(run_id, why="mapping"))
            save.commit()
            counts.add(outcome.outcome)
            for name in outcome.touched:
                world.wake(name)
        except (RecordRefused, NeedHuman, *UNEXPECTED) as error:
            save.rollback()
            known = error if isinstance(error, RecordRefused | NeedHuman) else unexpected(error)
            kept = trouble.kept(_record_of(one))
            trouble.refuse(tx, plug.name, kind, one.external_id, known, world.now(), data=kept)
            counts.add("failed")


def _record_of(one: Any) -> Record:
    return Record(one.native_kind, one.external_id, one.shadow, one.version, deleted=one.deleted_at is not None)


class _Reader:
    """One kind's stored records, read with today's mapping."""

    def __init__(self, world: World, tx: Connection, plug: Plug, kind: str) -> None:
        self._world, self._tx, self._plug = world, tx, plug
        self.lens: Lens = plug.mapping.lens(kind)
        self.kind = canonical_kind(self.lens.kind)
        self._keys = sale_price_keys(world.config, tx, plug.name) if self.lens.kind == "offer" else None

    def read(self, one: Any) -> Translated:
        return self.lens.get(one.shadow)

    def seen(self, one: Any, found: Translated) -> dict[str, Any]:
        """What the side says of the fields that are reconciled, as stored JSON."""
        gone, numbered = one.deleted_at is not None, one.number is not None
        own = pipeline_of(self._world.config, self._tx, self._plug, self.kind, one.record_uid)
        fields = observed(
            self._world.config,
            self._plug,
            found,
            deleted=gone,
            numbered=numbered,
            price_keys=self._keys,
            pipeline=own,
            lens=self.lens,
            current=(one.base or {}).get("stage"),
        )
        said: dict[str, Any] = loads(dumps(fields))
        return said

    def alike(self, one: Any, found: Translated) -> bool:
        """Whether it plainly reads as before: every field as it was agreed, and nothing else in it."""
        plain = not (found.problems or found.client or found.event or sides.ROWS & found.fields.keys())
        return plain and self.lens.kind != "activity" and self.seen(one, found) == (one.base or {})

    def conflicts(self, uids: Iterable[str]) -> dict[str, set[str]]:
        """The fields of records that a person is being asked about."""
        query = sa.select(conflict.c.record_uid, conflict.c.field).where(
            conflict.c.record_uid.in_(set(uids)), conflict.c.state == "open"
        )
        asked: dict[str, set[str]] = {}
        for row in self._tx.execute(query):
            asked.setdefault(row.record_uid, set()).add(row.field)
        return asked

    def changes(self, one: Any, found: Translated) -> dict[str, tuple[Any, Any]]:
        """{field: (agreed, as it reads now)} of what differs."""
        seen = typed(self.kind, self.seen(one, found))
        base = typed(self.kind, one.base or {})
        return {f: (base.get(f), v) for f, v in seen.items() if f not in base or not same(f, base[f], v)}


def _follow(tx: Connection, reader: _Reader, one: Any, found: Translated, asked: set[str]) -> None:
    """Where the record holds another value than this side has agreed to, its new reading counts as agreed: nobody there has
    moved. Elsewhere the record's value came in those words, and moves with them.

    What the mapping does not read any more is agreed no longer: people go on editing it unseen, and when it is read again one
    day, a difference is a question.
    """
    if reader.lens.kind == "activity":
        return
    data = typed(reader.kind, tx.execute(sa.select(record.c.data).where(record.c.uid == one.record_uid)).scalar_one())
    others = _agreed_elsewhere(tx, one)
    moved: dict[str, Any] = {}
    for f, (agreed, now) in reader.changes(one, found).items():
        if f in asked:
            continue
        if f in (one.base or {}):
            if not (f in data and same(f, data[f], agreed)):
                moved[f] = now
        elif f in data and f not in others:
            moved[f] = data[f]  # the hub's own first value, which stood in for what could not be read
    unread = {f for f in one.base or {} if f not in reader.lens.fields and f not in _DERIVED}
    if moved or unread:
        base = {f: v for f, v in {**(one.base or {}), **loads(dumps(moved))}.items() if f not in unread}
        tx.execute(link.update().where(link.c.id == one.id).values(base=base))


def _agreed_elsewhere(tx: Connection, one: Any) -> set[str]:
    """The fields of the record that another system has a say in."""
    query = sa.select(link.c.base).where(
        link.c.record_uid == one.record_uid, link.c.id != one.id, link.c.deleted_at.is_(None)
    )
    return {name for row in tx.execute(query) for name in row.base or {}}


def _unread(world: World, plug: Plug, kind: str) -> list[int]:
    """What could not be taken at all with the old mapping."""
    query = sa.select(quarantine.c.id).where(
        quarantine.c.connection == plug.name,
        quarantine.c.native_kind == kind,
        quarantine.c.stage == "intake",
        quarantine.c.state != "closed",
        quarantine.c.code.startswith("mapping."),
        quarantine.c.data.is_not(None),
    )
    with world.store.read() as tx:
        return [row.id for row in tx.execute(query.order_by(quarantine.c.id))]


def preview(world: World, tx: Connection, plug: Plug) -> dict[str, Any]:
    """What reading anew would find, before it happens: {native kind: {records, changed, unreadable, heals, fields: {field:
    how many}, examples: [{id, field, before, after}]}}. Empty where the mapping has not changed."""
    found: dict[str, Any] = {}
    for kind in _kinds(tx, plug)[0]:
        found[kind] = _preview_kind(world, tx, plug, kind)
    return found


def _preview_kind(world: World, tx: Connection, plug: Plug, kind: str) -> dict[str, Any]:
    reader, fields = _Reader(world, tx, plug, kind), Counter[str]()
    told: dict[str, Any] = {"records": 0, "changed": 0, "unreadable": 0, "heals": 0}
    examples: list[dict[str, Any]] = []
    waiting = _waiting(tx, plug, kind)
    for one in tx.execute(_stored(plug, kind).order_by(link.c.id).execution_options(yield_per=BATCH)):
        told["records"] += 1
        read = reader.read(one)
        told["unreadable"] += bool(read.problems)
        told["heals"] += not read.problems and one.external_id in waiting
        changes: Mapping[str, tuple[Any, Any]] = {} if reader.lens.kind == "activity" else reader.changes(one, read)
        told["changed"] += bool(changes)
        for name, (before, after) in changes.items():
            fields[name] += 1
            if fields[name] <= _EXAMPLES:
                examples.append({"id": one.external_id, "field": name, "before": before, "after": after})
    return {**told, "fields": dict(fields), "examples": loads(dumps(examples))}


def _waiting(tx: Connection, plug: Plug, kind: str) -> set[str]:
    query = sa.select(quarantine.c.external_id).where(
        quarantine.c.connection == plug.name,
        quarantine.c.native_kind == kind,
        quarantine.c.code.startswith("mapping."),
        quarantine.c.state != "closed",
    )
    return {row.external_id for row in tx.execute(query)}
