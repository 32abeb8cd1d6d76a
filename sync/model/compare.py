"""When two canonical values are the same: money by amount, phones by canonical form, lists as sets, rows one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from unicodedata import is_normalized

from sync.model.keys import email, phone
from sync.model.types import text_of

_SETS = frozenset({"tags", "barcodes", "images", "addresses"})
_EMPTY: tuple[Any, ...] = ("", [], {})
_NOTHING: tuple[Any, ...] = (None, "")
# Whose line it is and what it is called there: every side has its own, so they say nothing about what was ordered
OF_ITS_SIDE = frozenset({"key", "product"})
# How a side says what a line costs: with tax or without, before a discount or after. All of it comes to one sum, and where
# both rows have that, it is what is compared.
MONEY = ("price", "discount", "tax", "vat_included", "sum")
CENT = Decimal("0.01")
_ABSURD = 20  # digits: such a sum says nothing
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

    Rows that speak of the same goods belong together: first those that say the same, then those with one line id, the
    others by their order. What is left belongs together by its line id alone (the goods of the line were replaced).
    """
    left, right = dict(enumerate(before)), dict(enumerate(after))
    index = _index(after)
    pairs: list[tuple[int | None, int | None]] = []
    tests: tuple[Callable[[Row, Row], bool], ...] = (
        lambda a, b: _same_key(a, b) and alike(a, b) and not cells_changed(a, b),
        lambda a, b: alike(a, b) and not cells_changed(a, b),
        lambda a, b: _same_key(a, b) and alike(a, b),
        alike,
        _same_key,
    )
    for test in tests:
        for i in list(left):
            j = next((j for j in _candidates(left[i], index) if j in right and test(left[i], right[j])), None)
            if j is not None:
                del left[i], right[j]
                pairs.append((i, j))
    return [*pairs, *((i, None) for i in left), *((None, j) for j in right)]


def _index(rows: Sequence[Row]) -> dict[tuple[str, Any], list[int]]:
    """Where the rows stand that can be a given row's counterpart: an order may have thousands of lines."""
    found: dict[tuple[str, Any], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        for word in _words(row):
            found[word].append(place)
    return found


def _candidates(row: Row, index: Mapping[tuple[str, Any], list[int]]) -> list[int]:
    places = [index[word] for word in _words(row) if word in index]
    return places[0] if len(places) == 1 else sorted({place for found in places for place in found})


def _words(row: Row) -> list[tuple[str, Any]]:
    return [(cell, spelled(row[cell])) for cell in ("key", "sku", "name", "product") if row.get(cell) not in _NOTHING]


def line_total(row: Row) -> Decimal | None:
    """What a deal line comes to, with VAT and after its discount; None where the row does not say enough."""
    total, rate = _number(row.get("sum")), _number(row.get("vat_rate"))
    if total is None:
        price, qty = _number(row.get("price")), _number(row.get("qty"))
        if price is None or qty is None:
            return None
        total = price * qty - (_number(row.get("discount")) or 0)
    if row.get("vat_included") is False:
        tax = _number(row.get("tax"))
        total += tax if tax is not None else total * rate / 100 if rate is not None else 0
    return total.quantize(CENT, ROUND_HALF_UP) if total.adjusted() < _ABSURD else None


def _number(value: Any) -> Decimal | None:
    return Decimal(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else None


def spelled(text: Any) -> str:
    """A name or article without what one system writes otherwise than another: case, ё, #, no-break and doubled blanks."""
    return " ".join(str(text).casefold().replace("ё", "е").replace("#", "№").split())


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
    """The cells in which one row differs from another. A cell that one of them does not have is not known there."""
    names = [c for c in before if c in after and c not in OF_ITS_SIDE]
    totals: tuple[Decimal | None, ...] = ()
    if before.get("sum") is not None or after.get("sum") is not None:
        totals = (line_total(before), line_total(after))
    if totals and None not in totals:
        moved = [c for c in names if c not in MONEY and not _same_cell(c, before, after)]
        if totals[0] != totals[1]:
            moved += [c for c in MONEY if c in names and not same(c, before[c], after[c])] or ["sum"]
        return moved
    return [c for c in names if not _same_cell(c, before, after)]


def _same_cell(cell: str, before: Row, after: Row) -> bool:
    if cell in ("sku", "name") and before[cell] and after[cell]:
        if cell == "name" and before.get("sku") and after.get("sku"):
            return True  # goods of one article: what they are called is each side's own
        return spelled(before[cell]) == spelled(after[cell])
    return same(cell, before[cell], after[cell])


def _rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _same_key(a: Row, b: Row) -> bool:
    return a.get("key") is not None and a.get("key") == b.get("key")


def alike(a: Row, b: Row) -> bool:
    """Whether two rows speak of the same goods, as far as both say it: by article, else by name, else by product."""
    if (a.get("kind") or "goods") != (b.get("kind") or "goods"):
        return False
    for cell in ("sku", "name", "product"):
        if a.get(cell) and b.get(cell):
            return spelled(a[cell]) == spelled(b[cell]) if cell != "product" else same(cell, a[cell], b[cell])
    return not any(row.get(cell) for row in (a, b) for cell in ("sku", "name", "product")) and _same_key(a, b)
