"""A compiled lens: `get` reads a native record into canonical fields, `put` makes the native patch for changed ones.

The two laws (Foster et al., "Combinators for bidirectional tree transformations"): writing back what was read changes
nothing, and what was written is what is read again. `put` keeps the first by leaving every native value alone whose image
is already the wanted one, and checks the second on the patched record before it gives the patch away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sync.errors import RecordRefused, Text
from sync.lens import values
from sync.lens.creating import add_created
from sync.lens.language import Expression
from sync.lens.paths import Path, apply_patch, write
from sync.lens.plans import (
    CreateRows,
    FieldProblem,
    Plan,
    RowsPlan,
    RowsWriter,
    Translated,
    compiled,
    read_fields,
    read_rows,
)
from sync.lens.problems import UNKNOWN, Bad, shorten
from sync.lens.rewriting import kinds_of_rows, numbered, rewritten, with_totals
from sync.lens.values import same
from sync.lens.writing import image, write_value

NO_RECORD = Text("The record is no JSON object.", "Запись не является объектом JSON.")
NOT_READ_BACK = Text(
    "The other side would read back something else than what is written.",
    "Другая сторона прочитала бы не то, что записано.",
)


@dataclass
class Lens:
    """One native kind of one mapping."""

    native: str
    kind: str
    plans: tuple[Plan, ...]
    rows: tuple[RowsPlan, ...] = ()
    client: tuple[Plan, ...] = ()
    event: tuple[Plan, ...] = ()
    create_fields: tuple[tuple[Path, Expression], ...] = ()
    create_rows: tuple[CreateRows, ...] = ()
    row_writers: Mapping[str, RowsWriter] = field(default_factory=dict)
    fields: tuple[str, ...] = field(init=False)
    two_way: frozenset[str] = field(init=False)
    row_kinds: Mapping[str, frozenset[str]] = field(init=False)  # of deal lines: the kinds that this side tells apart

    def __post_init__(self) -> None:
        self.fields = (*(plan.name for plan in self.plans), *(rows.name for rows in self.rows))
        self._writable = {plan.name: plan for plan in self.plans if plan.writers}
        self._row_plans = {rows.name: rows for rows in self.rows}
        self.two_way = frozenset(self._writable) | frozenset(self.row_writers)
        self.row_kinds = {rows.name: kinds_of_rows(rows) for rows in self.rows if rows.kind.numbered}
        self._needed = values.NEEDED[self.kind]
        self._paths = {plan.name: plan.source.path for plan in self.plans}
        self._read = compiled(self.plans)
        self._read_client = compiled(self.client)
        self._read_event = compiled(self.event)

    def get(self, native: Mapping[str, Any]) -> Translated:
        """The canonical reading of a native record. Whatever comes, nothing is raised: what cannot be read is a problem."""
        found = Translated(self.kind)
        problems = found.problems
        if type(native) is not dict and not isinstance(native, Mapping):
            problems.append(FieldProblem("", "", shorten(native), NO_RECORD))
            return found
        node = native if type(native) is dict else dict(native)
        scope = (node, 0)
        found.fields = read_fields(self._read, node, scope, problems, "")
        for rows in self.rows:
            value = read_rows(rows, node, scope, problems)
            if value is not UNKNOWN:
                found.fields[rows.name] = value
        for name in self._needed:
            if found.fields.get(name) is None:
                found.fields.pop(name, None)
                if all(problem.field != name for problem in problems):
                    problems.append(FieldProblem(name, self._paths[name], "", values.RECORD_WITHOUT))
        if self.client:
            client = read_fields(self._read_client, node, scope, problems, "client.")
            found.client = {name: value for name, value in client.items() if value}
        if self.event:
            found.event = read_fields(self._read_event, node, scope, problems, "event.")
        return found

    def put(self, fields: Mapping[str, Any], native: Mapping[str, Any]) -> dict[str, Any]:
        """The patch that makes `native` read as `fields`: two-way fields only, and only what really changes. A list of rows
        is written whole, as well as this side can say it.

        RecordRefused("mapping.inexpressible", field=…) for a value that the native record cannot hold.
        """
        old = native if type(native) is dict else dict(native)
        patch: dict[str, Any] = {}
        changed: dict[str, Any] = {}
        for name, value in fields.items():
            plan = self._writable.get(name)
            if plan is None:
                patch = self._put_rows(name, value, old, patch)
                continue
            try:
                wanted = None if value is None else plan.kind.convert(value)
                if same(image(plan, old), wanted):
                    continue
                for inner, chain in plan.writers:
                    patch = write_value(chain, plan.kind, inner, wanted, old, patch)
            except Bad as bad:
                raise self._inexpressible(name, bad) from None
            changed[name] = wanted
        after = apply_patch(old, patch)
        for name, wanted in changed.items():
            if not same(image(self._writable[name], after), wanted):
                raise self._inexpressible(name, Bad(NOT_READ_BACK))
        return patch

    def _put_rows(self, name: str, value: Any, old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
        writer = self.row_writers.get(name)
        if writer is None:
            return patch
        try:
            wanted = None if value is None else self._row_plans[name].kind.convert(value)
            rows = rewritten(self._row_plans[name], writer, wanted, old)
            return patch if rows is None else write(writer.create.target, old, patch, rows)
        except Bad as bad:
            raise self._inexpressible(name, bad) from None

    def image(self, name: str, value: Any, native: Mapping[str, Any]) -> Any:
        """How this side would show the value of a two-way field if it were written to `native`. RecordRefused as `put`."""
        after = apply_patch(dict(native), self.put({name: value}, native))
        if name in self.row_writers:
            after = numbered(self._row_plans[name], self.row_writers[name], after)
        return self.get(after).fields.get(name)

    def words(self, name: str, values: Iterable[Any]) -> dict[Any, list[Any]]:
        """What the create section puts at the very place from which a field is read: each word with the values that are given
        by it. Empty where it puts nothing there."""
        found: dict[Any, list[Any]] = {}
        for source in [one for path, one in self.create_fields if path.text == self._paths.get(name)]:
            for value in values:
                with suppress(Bad):  # a value that this side has no word for
                    view = {name: value}
                    found.setdefault(source.run(view, (view, 0)), []).append(value)
        return found

    def create(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """The whole native record for a new one, from the canonical view. What the view does not know is left out."""
        known = {name: value for name, value in view.items() if name in self._writable and value is not None}
        native = apply_patch({}, self.put(known, {}))
        lines = {n: [with_totals(row) for row in view[n]] for n in ("lines",) if isinstance(view.get(n), list)}
        return add_created(native, self.create_fields, self.create_rows, {**view, **lines})

    def _inexpressible(self, name: str, bad: Bad) -> RecordRefused:
        return RecordRefused(
            Text(
                f"The value of “{name}” cannot be written to “{self.native}”. {bad.text.en}",
                f"Значение поля «{name}» нельзя записать в «{self.native}». {bad.text.ru}",
            ),
            code="mapping.inexpressible",
            field=name,
            remedy=Text(
                f"Correct the value, or the field “{name}” of the kind “{self.native}” in the mapping file.",
                f"Исправьте значение или поле «{name}» вида «{self.native}» в файле сопоставления.",
            ),
        )
