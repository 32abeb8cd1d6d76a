"""When two canonical values are the same: money by amount, phones by canonical form, lists as sets, rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from unicodedata import is_normalized

from sync.model.keys import email, phone
from sync.model.types import text_of

_SETS = frozenset({"tags", "barcodes", "addresses"})
_EMPTY: tuple[Any, ...] = ("", [], {})
# Whose line it is and what it is called there: every side has its own, so they say nothing about what was ordered
OF_ITS_SIDE = frozenset({"key", "product"})
Row = Mapping[str, Any]


def same(field: str, a: Any, b: Any) -> bool:
    """Whether two values of one field mean the same. None and an empty text, list or table are all "empty"."""
    if a is b or a == b:
        return True
    if type(a) is type(b) is str:
        both = a + b  # what is true of it is true of its parts
        if both.isprintable() and is_normalized("NFC", both):
            return a.strip() == b.strip()  # nothing but outer blanks could make another text of them
        return text_of(a) == text_of(b)
    if _rows(a) and _rows(b):
        return next(row_changes(a, b), None) is None
    return bool(normal(field, a) == normal(field, b))


def empty(value: Any) -> bool:
    """Reported, and reported as nothing."""
    return value is None or value in _EMPTY


def normal(field: str, value: Any) -> Any:
    """The comparable form of a value."""
    if value is None or value in _EMPTY:
        return None
    if field == "phones":
        return frozenset(phone(v) or v for v in value)
    if field == "emails":
        return frozenset(email(v) or v for v in value)
    if field in _SETS:
        return frozenset(value)
    if isinstance(value, str):
        return text_of(value) or None
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, dict):
        return {k: normal(k, v) for k, v in value.items() if normal(k, v) is not None}
    return value


def paired(before: Sequence[Row], after: Sequence[Row]) -> list[tuple[int | None, int | None]]:
    """Which row of one list is which of the other, as places; None where it has no counterpart.

    Of two rows that speak of the same goods those with one line id belong together, the others by their order; what is left
    belongs together by its line id alone (the goods of the line were replaced).
    """
    left, right = dict(enumerate(before)), dict(enumerate(after))
    pairs: list[tuple[int | None, int | None]] = []
    tests: tuple[Callable[[Row, Row], bool], ...] = (
        lambda a, b: _same_key(a, b) and alike(a, b),
        alike,
        _same_key,
    )
    for test in tests:
        for i in list(left):
            j = next((j for j, row in right.items() if test(left[i], row)), None)
            if j is not None:
                del left[i], right[j]
                pairs.append((i, j))
    return [*pairs, *((i, None) for i in left), *((None, j) for j in right)]


def row_changes(before: Sequence[Row], after: Sequence[Row]) -> Iterator[tuple[str, str, Any, Any]]:
    """Row by row what differs: (the row's key, cell, before, after); the cell is "" for a whole row gone or added."""
    for i, j in paired(before, after):
        if i is None or j is None:
            gone, new = (None if i is None else before[i]), (None if j is None else after[j])
            yield str((gone or new or {}).get("key", "")), "", gone, new
            continue
        for cell in cells_changed(before[i], after[j]):
            yield str(before[i].get("key", i)), cell, before[i].get(cell), after[j].get(cell)


def cells_changed(before: Row, after: Row) -> list[str]:
    """The cells in which one row differs from another."""
    names = dict.fromkeys((*before, *after))
    return [c for c in names if c not in OF_ITS_SIDE and not same(c, before.get(c), after.get(c))]


def _rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _same_key(a: Row, b: Row) -> bool:
    return a.get("key") is not None and a.get("key") == b.get("key")


def alike(a: Row, b: Row) -> bool:
    """Whether two rows speak of the same goods, as far as both say it: by article, else by name, else by product."""
    if a.get("kind") != b.get("kind"):
        return False
    for cell in ("sku", "name", "product"):
        if a.get(cell) and b.get(cell):
            return same(cell, a[cell], b[cell])
    return not any(row.get(cell) for row in (a, b) for cell in ("sku", "name", "product")) and _same_key(a, b)
