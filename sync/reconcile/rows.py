"""Three-way merges of lists: sets (tags, phones), and rows (the lines of a deal) cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sync.model.compare import MONEY, Row, alike, cells_changed, line_total, paired, same, spelled

ZERO = Decimal(0)
_NAMES = ("key", "kind", "product", "sku", "name")  # what a line is, apart from how much of it and for how much


def in_our_words(ours: Sequence[Row], theirs: Sequence[Row], kinds: frozenset[str]) -> list[Row]:
    """`theirs` as the record would say it. A row that means what a row of `ours` means is that row; a changed one keeps
    what it is called here; only what is really new stands in the other side's own words.

    `kinds` are the kinds of lines which that side can tell apart. Shipping comes back from one that knows only goods as
    goods; a discount on the whole order does not come back at all, or spread over its lines.
    """
    if not ours or not theirs:
        return list(theirs)
    known = matched(ours, theirs, kinds)
    left = [j for j in range(len(theirs)) if j not in known.values()]
    lower = [_lower(ours[i], theirs[j]) for i, j in known.items()]
    spread = bool(lower) and "discount" not in kinds and all(lower)
    if spread and not left and _comes_to_the_same(ours, theirs, known):
        return list(ours)
    said: list[Row] = []
    for i, row in enumerate(ours):
        j = known.get(i)
        if j is not None:
            said.append(_called(row, theirs[j]))
        elif row.get("kind") == "discount" and "discount" not in kinds and (not spread or not line_total(row)):
            said.append(row)
    for j in left:
        keys = {str(row.get("key", "")) for row in said}
        said.append({**theirs[j], "key": _free(str(theirs[j].get("key", "")), keys)})
    return list(ours) if _all_ours(ours, said) else said


def matched(ours: Sequence[Row], theirs: Sequence[Row], kinds: frozenset[str]) -> dict[int, int]:
    """Which row of `ours` is which of `theirs`, as places."""
    pairs = paired([_keyless(row) for row in ours], [_keyless(row) for row in theirs])
    known = {i: j for i, j in pairs if i is not None and j is not None}
    left = [j for i, j in pairs if i is None and j is not None]
    for i, row in enumerate(ours):
        if i not in known and row.get("kind", "goods") not in kinds | {"discount"}:
            j = next((j for j in left if _stands_for(row, theirs[j])), None)
            if j is not None:
                known[i] = j
                left.remove(j)
    return known


def _keyless(row: Row) -> Row:
    """Line ids are each side's own: one that is the same here and there says nothing."""
    called = row.get("sku") or row.get("name")
    return {cell: value for cell, value in row.items() if cell not in ("key", "product")} if called else row


def _stands_for(row: Row, other: Row) -> bool:
    """Whether a side that knows only goods can mean this shipping or fee by that row."""
    if row.get("name") and other.get("name"):
        return spelled(row["name"]) == spelled(other["name"])
    total = line_total(row)
    return not row.get("name") and total is not None and total == line_total(other)


def _lower(row: Row, other: Row) -> bool:
    """Whether as much of the goods costs less there: a discount on the order has been taken off its lines."""
    here, there = line_total(row), line_total(other)
    return here is not None and there is not None and there < here and same("qty", row.get("qty"), other.get("qty"))


def _comes_to_the_same(ours: Sequence[Row], theirs: Sequence[Row], known: Mapping[int, int]) -> bool:
    """Whether every line but the discounts is there, and all of it comes to the sum that it comes to here."""
    if any(i not in known for i, row in enumerate(ours) if row.get("kind") != "discount"):
        return False
    off = sum(abs(line_total(row) or ZERO) for row in ours if row.get("kind") == "discount")
    before = sum(line_total(row) or ZERO for row in ours if row.get("kind") != "discount")
    return off != 0 and before - off == sum(line_total(row) or ZERO for row in theirs)


def means(row: Row, other: Row) -> bool:
    """Whether two rows that were matched say the same; of what kind they are is left aside."""
    return not [cell for cell in cells_changed(row, other) if cell != "kind"]


def _called(row: Row, other: Row) -> Row:
    """The other side's row under the name that the goods have here."""
    if means(row, other):
        return row
    names = {cell: row[cell] for cell in _NAMES if cell in row}
    kept = dict(row) if other.get("sum") is None else {c: v for c, v in row.items() if c not in MONEY}
    return {**kept, **other, **{c: v for c, v in names.items() if v not in (None, "") or c not in other}}


def _all_ours(ours: Sequence[Row], said: Sequence[Row]) -> bool:
    return len(ours) == len(said) and all(a is b for a, b in zip(ours, said, strict=True))


def merge_rows(current: Sequence[Row], sides: Iterable[tuple[Sequence[Row], Sequence[Row]]]) -> list[Row] | None:
    """The rows with every side's changes since its own base, given as (base, seen) pairs.

    None where two changes meet in one cell, or a row that one removed was changed by another: a person decides.
    """
    rows: list[dict[str, Any]] = [dict(row) for row in current]
    cells: dict[tuple[int, str], Any] = {}
    priced: dict[int, Row] = {}  # rows that come to another sum: what a row says of it is taken as one
    gone: set[int] = set()
    added: list[dict[str, Any]] = []
    for base, seen in sides:
        pairs = paired(base, rows)
        place = {i: at for i, at in pairs if i is not None}
        fresh = [rows[at] for i, at in pairs if i is None and at is not None]  # what the record has got meanwhile
        for i, j in paired(base, seen):
            if i is None and j is not None:
                here = next((row for row in fresh if alike(row, seen[j])), None)
                if here is not None and cells_changed(here, seen[j]):
                    return None
                if here is not None:
                    fresh.remove(here)
                    continue
                twin = next((row for row in added if alike(row, seen[j])), None)
                if twin is None:
                    added.append(dict(seen[j]))
                elif cells_changed(twin, seen[j]):
                    return None
                continue
            if i is None:
                continue
            at = place[i]
            if at is None:  # the record has lost the row meanwhile
                if j is not None and cells_changed(base[i], seen[j]):
                    return None
            elif j is None:
                if cells_changed(base[i], rows[at]):
                    return None
                gone.add(at)
            elif not _take(cells, priced, at, base[i], rows[at], seen[j]):
                return None
    if any(at in gone for at, _ in cells):
        return None
    for (at, cell), value in cells.items():
        rows[at][cell] = value
    for at, row in priced.items():
        rows[at] = {c: v for c, v in rows[at].items() if c not in MONEY} | {c: row[c] for c in MONEY if c in row}
    return _with([row for at, row in enumerate(rows) if at not in gone], added)


def _with(kept: list[Row], added: Sequence[Row]) -> list[Row]:
    """The rows and the new ones behind them, each under a key that no other has."""
    for row in added:
        kept.append({**row, "key": _free(str(row.get("key", "")), {str(k.get("key", "")) for k in kept})})
    return kept


def merge_sets(name: str, current: Sequence[Any], sides: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> list[Any]:
    """What anybody removed is out, what anybody added is in; the record's own other values stay. Sides: (base, seen)."""
    merged = [v for v in current if all(_in(name, v, seen) or not _in(name, v, base) for base, seen in sides)]
    for base, seen in sides:
        merged += [v for v in seen if not _in(name, v, merged) and not _in(name, v, base)]
    return merged


def _in(name: str, value: Any, values: Sequence[Any]) -> bool:
    return any(same(name, [value], [other]) for other in values)


def _take(
    cells: dict[tuple[int, str], Any], priced: dict[int, Row], at: int, base: Row, current: Row, seen: Row
) -> bool:
    """Note the cells that a side changed; False where somebody else changed one of them to something else."""
    for cell in cells_changed(base, seen):
        value, here = seen.get(cell), current.get(cell)
        if cell in MONEY and seen.get("sum") is not None:
            total, others = line_total(seen), line_total(priced.get(at, seen))
            if total != others or line_total(current) not in (total, line_total(base)):
                return False
            priced[at] = seen
            continue
        others = cells.get((at, cell), value)
        if not same(cell, others, value) or not (same(cell, here, value) or same(cell, here, base.get(cell))):
            return False
        cells[at, cell] = value
    return True


def _free(key: str, taken: set[str]) -> str:
    number = 2
    free = key
    while free in taken:
        free, number = f"{key}#{number}", number + 1
    return free
