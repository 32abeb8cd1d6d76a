"""The verify pass: what a system shows now, against what was seen of it last and against the record. Nothing is changed.

Each linked record ends in one class: `same`; `news` (it has changed there since it was seen last: the next sync takes it);
`waiting` (a write is on its way, or a person has been asked); or drift, field by field:

* diverged: both stand still, nothing is on its way, and still they differ: a conflict is opened, unless the decision needs
  no person for it (an owner's word)
* kept: this system cannot be written there and keeps another value than the record's (told, not counted as drift)
* missing: linked, and not there any more; unknown: there, and neither linked nor in quarantine nor new
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Page, Record
from sync.errors import NeedHuman, RecordRefused
from sync.flow.drift import Difference, Facts, Report, differing, facts_of
from sync.flow.plug import Cause, Plug, World
from sync.flow.pull import read_cursor
from sync.flow.weave import doubt, weave
from sync.lens import Lens
from sync.model.compare import same
from sync.store import points
from sync.store.tables import conflict, link, quarantine
from sync.store.types import dump_bytes

PAGE = 200  # records of one look into the database
CONFIRMED = 100  # missing records that are asked for by id: where thousands are gone, the list is believed


def readable(plug: Plug) -> list[str]:
    """The kinds whose records can be looked at again: listed, or read one by one."""
    capabilities = plug.adapter.capabilities
    lenses = {name for name, lens in plug.mapping.lenses.items() if lens.kind != "activity"}
    return sorted((capabilities.scans | capabilities.reads) & lenses)


class Pass:
    """One kind of one connection. `pages` fetches, `compare` looks at what was fetched, `missing` at what was not there."""

    def __init__(self, world: World, plug: Plug, kind: str) -> None:
        self.world, self.plug, self.kind = world, plug, kind
        self.lens: Lens = plug.mapping.lens(kind)
        self.report = Report(plug.name, kind)
        self.strange: set[str] = set()  # ids that no link knows, until it is clear whether they are only new
        with world.store.read() as tx:
            last = tx.execute(sa.select(sa.func.max(link.c.id)).where(*self._mine())).scalar() or 0
        self._seen = bytearray(last // 8 + 1)  # one bit for each link: a set of a million ids would not be small
        self._last = last

    def _mine(self) -> tuple[Any, ...]:
        return link.c.connection == self.plug.name, link.c.native_kind == self.kind

    def pages(self) -> Iterator[tuple[Page, datetime]]:
        """Everything that is there, with the moment when it was asked for; the stored cursor is not touched."""
        asked = self.world.now()
        points.reach(f"call:{self.plug.name}.scan:before")
        if self.kind not in self.plug.adapter.capabilities.scans:
            yield from self._by_id()
            return
        for page in self.plug.adapter.scan(self.kind, None):
            points.reach(f"call:{self.plug.name}.scan:after")
            yield page, asked
            self.report.complete = page.last and page.complete
            asked = self.world.now()

    def _by_id(self) -> Iterator[tuple[Page, datetime]]:
        for rows in self._links(link.c.deleted_at.is_(None)):
            asked = self.world.now()
            found = [self._read(row) for row in rows]
            yield Page([rec for rec in found if rec is not None], {}), asked
        self.report.complete = True

    def _read(self, row: Any) -> Record | None:
        """One record by its id; None when it is gone for good. One that cannot be read now is neither gone nor the same."""
        points.reach(f"call:{self.plug.name}.read:before")
        try:
            return self.plug.adapter.read(self.kind, row.external_id)
        except (RecordRefused, NeedHuman):
            self._mark(row.id)
            self.report.read += 1
            self.report.waiting += 1
            return None

    def _links(self, *where: Any) -> Iterator[Sequence[Any]]:
        last = 0
        while True:
            query = sa.select(link).where(*self._mine(), link.c.id > last, link.c.state == "linked", *where)
            with self.world.store.read() as tx:
                rows = tx.execute(query.order_by(link.c.id).limit(PAGE)).all()
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            last = rows[-1].id

    def compare(self, page: Page, asked: datetime) -> None:
        """One page against the database. Conflicts are opened in a transaction of their own, each looked at once more."""
        for at in range(0, len(page.records), PAGE):
            records = [rec for rec in page.records[at : at + PAGE] if rec.kind == self.kind]
            questions = self._look(records, asked)
            for rec, found in questions:
                self._question(rec, found)

    def _look(self, records: Sequence[Record], asked: datetime) -> list[tuple[Record, list[Difference]]]:
        """Count what needs nobody; gives the records about which a person may have to be asked."""
        questions: list[tuple[Record, list[Difference]]] = []
        with self.world.store.read() as tx:
            links = {
                row.external_id: row
                for row in tx.execute(
                    sa.select(link).where(*self._mine(), link.c.external_id.in_([rec.id for rec in records]))
                )
            }
            facts = facts_of(tx, [row.record_uid for row in links.values()])
            for rec in records:
                row = links.get(rec.id)
                if row is None:
                    if not rec.deleted:
                        self.strange.add(rec.id)
                    continue
                self._mark(row.id)
                self.report.read += 1
                found = self._one(tx, rec, row, facts, asked)
                if found:
                    questions.append((rec, found))
        return questions

    def _mark(self, id: int) -> None:
        if id <= self._last:
            self._seen[id // 8] |= 1 << id % 8

    def _was_seen(self, row: Any) -> bool:
        return bool(self._seen[row.id // 8] >> row.id % 8 & 1)

    def _one(self, tx: Connection, rec: Record, row: Any, facts: Facts, asked: datetime) -> list[Difference]:
        """Count one linked record; gives what a person must be asked about."""
        report = self.report
        one = facts.records.get(row.record_uid)
        if row.shadow is None or row.state != "linked" or one is None:  # offered and not come back yet, or detached
            report.waiting += 1
            return []
        if any(done >= asked for done in facts.written.get((row.record_uid, self.plug.name), [])):
            report.waiting += 1  # it was written while it was being read
            return []
        moved = self._moved(rec, row)
        if moved is not None:
            report.news += 1
            report.example("news", rec.id, fields=moved, number=one.number)
            return []
        differences = differing(self.world, tx, row, one)
        asked_already = facts.conflicts.get(row.record_uid, set())
        writing = facts.writing.get((row.record_uid, self.plug.name, self.kind), set())
        busy = {*asked_already, *writing, *(d.field for d in differences if not d.told and not d.kept)}
        rest = [d for d in differences if d.field not in busy]
        for kept in (d for d in rest if d.kept):
            report.tell(kept, rec.id, one)
        real = [d for d in rest if not d.kept]
        if real:
            return real
        if len(rest) < len(differences):
            report.waiting += 1
        else:
            report.same += 1
        return []

    def _moved(self, rec: Record, row: Any) -> list[str] | None:
        """The fields that changed there since it was seen last; None when nothing did. A stamp alone is no news, and what
        no mapping reads neither."""
        gone = row.deleted_at is not None
        if rec.deleted != gone:
            return ["deleted"]
        if dump_bytes(rec.data) == dump_bytes(row.shadow):
            return None
        before, after = self.lens.get(row.shadow).fields, self.lens.get(rec.data).fields
        moved = sorted(
            n for n in {*before, *after} if n not in before or n not in after or not same(n, before[n], after[n])
        )
        return moved or None

    def _question(self, rec: Record, found: list[Difference]) -> None:
        """Look once more with the record held: what still differs is drift. The decision says whether that is a question for a
        person, or something that the next sync puts right."""
        world, report = self.world, self.report
        with world.store.begin() as tx:
            row = tx.execute(sa.select(link).where(*self._mine(), link.c.external_id == rec.id)).first()
            if row is None:
                return
            world.store.lock_record(tx, row.record_uid)
            row = tx.execute(sa.select(link).where(link.c.id == row.id)).one()
            facts = facts_of(tx, [row.record_uid])
            one = facts.records.get(row.record_uid)
            still: list[Difference] = []
            if one is not None and row.shadow is not None and self._moved(rec, row) is None:
                busy = facts.writing.get((row.record_uid, self.plug.name, self.kind), set())
                busy = busy | facts.conflicts.get(row.record_uid, set())
                tried = tx.begin_nested()
                still = [d for d in differing(world, tx, row, one) if d.told and not d.kept and d.field not in busy]
                asked = self._decided(tx, row, still)
                tried.rollback()
                for question in asked:
                    tx.execute(conflict.insert().values(**question))
                    report.opened += 1
        if not still:
            report.waiting += 1
            return
        report.drifted += 1
        for different in still:
            report.tell(different, rec.id, one)

    def _decided(self, tx: Connection, row: Any, found: Sequence[Difference]) -> list[dict[str, Any]]:
        """The conflicts that the decision makes of it, where nothing that was agreed of these fields is believed."""
        if not found:
            return []
        names = [d.field for d in found]
        doubt(tx, row.id, names)
        weave(self.world, tx, row.record_uid, Cause())
        rows = tx.execute(
            sa.select(conflict).where(
                conflict.c.record_uid == row.record_uid, conflict.c.state == "open", conflict.c.field.in_(names)
            )
        ).all()
        return [{k: v for k, v in r._mapping.items() if k != "id"} | {"cause": "diverged"} for r in rows]

    def finish(self) -> Report:
        """After the last page: what is new there, what nobody knows, and what is not there any more."""
        if self.strange:
            self._strange()
        if self.report.complete:
            for rows in self._links(link.c.deleted_at.is_(None), link.c.shadow.is_not(None)):
                for row in rows:
                    if row.id <= self._last and not self._was_seen(row):
                        self._absent(row)
        return self.report

    def _absent(self, row: Any) -> None:
        """Linked, and not among what a complete look showed. Asked for by its id where that is possible: a list may leave
        out what is still there."""
        capabilities = self.plug.adapter.capabilities
        if self.kind in capabilities.scans and self.kind in capabilities.reads and self.report.missing < CONFIRMED:
            asked, found = self.world.now(), self._read(row)
            if found is not None:
                self.compare(Page([found], {}), asked)
            if self._was_seen(row):
                return
        self.report.read += 1
        self.report.missing += 1
        self.report.example("missing", row.external_id, uid=row.record_uid)

    def _strange(self) -> None:
        """What the next poll brings is news; what waits in quarantine is told there. The rest nobody knows of."""
        report, capabilities = self.report, self.plug.adapter.capabilities
        with self.world.store.read() as tx:
            waiting = _among(tx, quarantine, self.plug.name, self.kind, self.strange, quarantine.c.state != "closed")
            known = _among(tx, link, self.plug.name, self.kind, self.strange)  # taken since
        fresh: set[str] = set()
        cursor = read_cursor(self.world, self.plug.name, self.kind)
        if cursor is None:
            fresh = set(self.strange)
        elif self.kind in capabilities.scans:
            for page in self.plug.adapter.scan(self.kind, cursor):
                fresh |= {rec.id for rec in page.records} & self.strange
        for id in sorted(self.strange):
            report.read += 1
            if id in waiting or id in known:
                report.waiting += 1
            elif id in fresh:
                report.news += 1
                report.example("news", id, fields=["created"])
            else:
                report.unknown += 1
                report.example("unknown", id)


def _among(tx: Connection, table: sa.Table, connection: str, kind: str, ids: Iterable[str], *where: Any) -> set[str]:
    wanted, found = sorted(ids), set[str]()
    for at in range(0, len(wanted), PAGE):
        query = sa.select(table.c.external_id).where(
            table.c.connection == connection,
            table.c.native_kind == kind,
            table.c.external_id.in_(wanted[at : at + PAGE]),
            *where,
        )
        found |= set(tx.execute(query).scalars())
    return found
