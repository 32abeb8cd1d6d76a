"""What each system showed of a record, in the journal: its first values, and every later change, ours or its own.

Replayed from the first row on, a link's journal gives today's shadow, read through the mapping. Of a link speak

* "created" (a record's first values, where its first system brought them) and "wrote:…" (what the hub wrote there): the
  values after it; what the system shows beside or instead of them follows as "seen"
* "linked": the first values of a system that joined a record later: the beginning, whatever stood before it
* "seen": what the system showed anew, {field: [before, after]}, whether or not the record took it; [before] alone is a field
  that it does not report any more
* "mapping": the same native record, read otherwise since the mapping was changed

Rows of their own (documents, prices, stocks) are no fields here: they have their own rows in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.flow.plug import Plug
from sync.lens import Lens, Translated
from sync.model.compare import same
from sync.model.records import KINDS
from sync.store.tables import journal, link

ROWS = frozenset({"documents", "prices", "stocks", "product"})
OF_SIDES = frozenset({"linked", "seen", "mapping"})  # reasons of a link's rows that say nothing of the record itself
MISSING: Any = object()  # not reported, which is not empty


def shown(plug: Plug, found: Translated, *, deleted: bool) -> dict[str, Any]:
    """What a native record says, field by field, as the journal keeps it. "deleted" stands there only when it is so."""
    fields = {name: value for name, value in found.fields.items() if name not in ROWS}
    if found.kind == "product" and (deleted or plug.role == "accounting"):
        fields["active"] = not deleted and fields.get("active", True)
    if deleted:
        fields["deleted"] = True
    return fields


def shown_by(plug: Plug, lens: Lens, row: Any) -> dict[str, Any]:
    """The same of a link's shadow."""
    return shown(plug, lens.get(row.shadow), deleted=row.deleted_at is not None)


def as_read(plug: Plug, row: Any) -> bool:
    """Whether the link's shadow was taken over with today's mapping (and still is what was taken over)."""
    old = Record(row.native_kind, row.external_id, row.shadow, row.version, deleted=row.deleted_at is not None)
    return bool(row.shadow_hash == plug.hash(old))


def last_shown(tx: Connection, plug: Plug, lens: Lens, row: Any) -> tuple[dict[str, Any], str]:
    """What the journal knows that a link showed before now, and the reason under which its news is noted."""
    if row is None or row.shadow is None:
        return {}, "linked"
    if as_read(plug, row):
        return shown_by(plug, lens, row), "seen"
    rows = tx.execute(sa.select(journal).where(journal.c.record_uid == row.record_uid).order_by(journal.c.id)).all()
    told = replay(rows, row, lens, first=is_first(tx, plug, row))
    return ({}, "linked") if told.state is None else (told.state, "mapping")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{field: [before, after]} of what differs in meaning; [before] of what is not reported any more."""
    moved: dict[str, list[Any]] = {}
    if not before:
        return {name: [None, after[name]] for name in sorted(after)}
    for name in sorted({*before, *after}):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if new is MISSING:
            moved[name] = [old]
        elif old is MISSING or not same(name, old, new):
            moved[name] = [None if old is MISSING else old, new]
    return moved


def begun(lens: Lens, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a link showed first, as far as its record's "created" row says it."""
    return {name: value for name, value in data.items() if name in fields_of(lens)}


def fields_of(lens: Lens) -> set[str]:
    """The names under which a link's values stand in the journal."""
    return {*lens.fields, "active", "deleted"} - ROWS


def of_record(row: Any) -> bool:
    """Whether a journal row changed the record itself, and not only what some system shows."""
    of_link = row.link_id is not None and row.why in OF_SIDES
    return not (of_link or row.why == "offered" or row.why.startswith("wrote:"))


def is_first(tx: Connection, plug: Plug, row: Any) -> bool:
    """Whether this is the link with which its connection began the record: a "created" row without a link means it."""
    kinds = {name: lens.kind for name, lens in plug.mapping.lenses.items()}
    others = tx.execute(
        sa.select(link.c.id, link.c.native_kind).where(
            link.c.record_uid == row.record_uid, link.c.connection == row.connection
        )
    )
    mine = [o.id for o in others if kinds.get(o.native_kind) == kinds.get(row.native_kind)]
    return bool(row.id == min(mine))


@dataclass(slots=True)
class Replayed:
    """What the journal's rows come to. `state` None: no row begins it. `broken`: (row id, field, stood, row's before)."""

    kind: str
    state: dict[str, Any] | None = None
    broken: list[tuple[int, str, Any, Any]] = field(default_factory=list)

    def begin(self, fields: Mapping[str, Any]) -> None:
        """First values."""
        self.state = {name: canonical(self.kind, name, value) for name, value in fields.items()}

    def apply(self, row: Any, fields: Mapping[str, Any], *, checked: bool) -> None:
        """Take one row's changes in; with `checked`, each must begin where the rows before it ended."""
        state = self.state = {} if self.state is None else self.state
        for name, values in fields.items():
            if not isinstance(values, list) or len(values) not in (1, 2):
                self.broken.append((row.id, name, state.get(name), values))
                continue
            before = canonical(self.kind, name, values[0])
            if checked and not same(name, state.get(name), before):
                self.broken.append((row.id, name, state.get(name), before))
            if len(values) == 2:
                state[name] = canonical(self.kind, name, values[1])
            else:
                state.pop(name, None)


def replay(rows: Iterable[Any], row: Any, lens: Lens, *, first: bool) -> Replayed:
    """One link's values from the record's journal rows, in their order."""
    known = fields_of(lens)
    told = Replayed(lens.kind)
    for one in rows:
        begins = one.why == "created" and one.link_id is None and first and told.state is None and one.kind == lens.kind
        if one.link_id != row.id and not (begins and one.connection == row.connection):
            continue
        mine = {name: value for name, value in one.changes.items() if name in known}
        if one.why == "created":
            told.begin(mine)
        elif one.why == "linked":
            told.begin({})
            told.apply(one, mine, checked=False)
        else:
            told.apply(one, mine, checked=not one.why.startswith("wrote:"))
    return told


def canonical(kind: str, name: str, value: Any) -> Any:
    """A stored value of a field as canonical one; what is none (a row was tampered with) stays as it is."""
    read = _reader(kind, name)
    if read is None or value is None:
        return value
    try:
        return read.dump_python(read.validate_python(value), exclude_unset=True)
    except ValidationError:
        return value


@cache
def _reader(kind: str, name: str) -> TypeAdapter[Any] | None:
    found = KINDS[kind].model_fields.get(name)
    return None if found is None or found.annotation is None else TypeAdapter(found.annotation)
