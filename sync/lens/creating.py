"""Making a new native record out of the canonical view of a create or offer."""

from __future__ import annotations

from typing import Any

from sync.errors import RecordRefused, Text
from sync.lens import paths, values
from sync.lens.conventions import native_of
from sync.lens.language import Expression
from sync.lens.paths import Path, Scope
from sync.lens.plans import CreateRows
from sync.lens.problems import UNKNOWN, Bad


def add_created(
    native: dict[str, Any],
    fields: tuple[tuple[Path, Expression], ...],
    rows: tuple[CreateRows, ...],
    view: dict[str, Any],
) -> dict[str, Any]:
    """`native` with the mapping's create section added; what the view does not know or has empty is left out."""
    scope = (view, 0)
    for one in rows:
        made = _created_rows(one, view, scope)
        if made is not UNKNOWN:
            native = _set(native, one.target, made, one.target.text)
    for path, source in fields:
        value = _created(source, view, scope, path.text)
        if value is not UNKNOWN:
            native = _set(native, path, value, path.text)
    return native


def _created(source: Expression, node: Any, scope: Scope, place: str) -> Any:
    """A native value for a new record; UNKNOWN for nothing."""
    try:
        value = source.run(node, scope)
        return UNKNOWN if value is UNKNOWN or value is None else native_of(value, UNKNOWN)
    except Bad as bad:
        raise _not_created(place, bad) from None


def _created_rows(rows: CreateRows, node: Any, scope: Scope) -> Any:
    made: list[dict[str, Any]] = []
    reported = False
    for read, when, fields in rows.blocks:
        place = rows.target.text
        try:
            items = read(node, scope)
            if items is UNKNOWN or items is None:
                continue
            reported = True
            if not isinstance(items, list):
                raise Bad(values.NOT_ROWS, items)
            chosen = [(at, item) for at, item in enumerate(items, 1) if when(item, (node, at))]
        except Bad as bad:
            raise _not_created(place, bad) from None
        made += [_row(fields, item, (node, at), f"{place}[{at - 1}]") for at, item in chosen]
    return made if reported else UNKNOWN


def created_row(rows: CreateRows, view: dict[str, Any], items: list[dict[str, Any]], at: int) -> dict[str, Any] | None:
    """The native row of one canonical row; None where no block takes it."""
    scope = (view, at + 1)
    for _, when, fields in rows.blocks:
        try:
            fits = when(items[at], scope)
        except Bad as bad:
            raise _not_created(rows.target.text, bad) from None
        if fits:
            return _row(fields, items[at], scope, f"{rows.target.text}[{at}]")
    return None


def _row(fields: tuple[tuple[Path, Expression], ...], item: Any, scope: Scope, place: str) -> dict[str, Any]:
    native: dict[str, Any] = {}
    for path, source in fields:
        value = _created(source, item, scope, f"{place}.{path.text}")
        if value is not UNKNOWN:
            native = _set(native, path, value, f"{place}.{path.text}")
    return native


def _set(native: dict[str, Any], path: Path, value: Any, place: str) -> dict[str, Any]:
    try:
        changed: dict[str, Any] = paths.replaced(native, path.segments, value)
    except Bad as bad:
        raise _not_created(place, bad) from None
    return changed


def _not_created(place: str, bad: Bad) -> RecordRefused:
    return RecordRefused(
        Text(
            f"“{place}” of the new record cannot be made. {bad.text.en}",
            f"«{place}» новой записи нельзя составить. {bad.text.ru}",
        ),
        code="mapping.create",
        field=place,
        remedy=Text(
            "Correct the value, or the line of the mapping's create section.",
            "Исправьте значение или строку раздела create в файле сопоставления.",
        ),
    )
