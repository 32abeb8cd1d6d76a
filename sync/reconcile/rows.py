"""Three-way merges of lists: sets (tags, phones), and rows (the lines of a deal) cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sync.model.compare import Row, alike, cells_changed, paired, same


def merge_rows(current: Sequence[Row], sides: Iterable[tuple[Sequence[Row], Sequence[Row]]]) -> list[Row] | None:
    """The rows with every side's changes since its own base, given as (base, seen) pairs.

    None where two changes meet in one cell, or a row that one removed was changed by another: a person decides.
    """
    rows: list[dict[str, Any]] = [dict(row) for row in current]
    cells: dict[tuple[int, str], Any] = {}
    gone: set[int] = set()
    added: list[dict[str, Any]] = []
    for base, seen in sides:
        place = {i: at for i, at in paired(base, rows) if i is not None}
        for i, j in paired(base, seen):
            if i is None and j is not None:
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
            elif not _take(cells, at, base[i], rows[at], seen[j]):
                return None
    if any(at in gone for at, _ in cells):
        return None
    for (at, cell), value in cells.items():
        rows[at][cell] = value
    kept = [row for at, row in enumerate(rows) if at not in gone]
    for row in added:
        kept.append(row | {"key": _free(str(row.get("key", "")), {str(k.get("key", "")) for k in kept})})
    return list(kept)


def merge_sets(name: str, current: Sequence[Any], sides: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> list[Any]:
    """What anybody removed is out, what anybody added is in; the record's own other values stay. Sides: (base, seen)."""
    merged = [v for v in current if all(_in(name, v, seen) or not _in(name, v, base) for base, seen in sides)]
    for base, seen in sides:
        merged += [v for v in seen if not _in(name, v, merged) and not _in(name, v, base)]
    return merged


def _in(name: str, value: Any, values: Sequence[Any]) -> bool:
    return any(same(name, [value], [other]) for other in values)


def _take(cells: dict[tuple[int, str], Any], at: int, base: Row, current: Row, seen: Row) -> bool:
    """Note the cells that a side changed; False where somebody else changed one of them to something else."""
    for cell in cells_changed(base, seen):
        value, here = seen.get(cell), current.get(cell)
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
