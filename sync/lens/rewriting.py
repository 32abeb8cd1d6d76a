"""Writing a whole list of rows back: rows that still say what is wanted stay as they are, the others are made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sync.lens import paths
from sync.lens.creating import created_row
from sync.lens.plans import RowsPlan, RowsWriter, read_rows
from sync.lens.problems import UNKNOWN
from sync.model.compare import line_total, same
from sync.reconcile.rows import in_our_words, matched, means

KINDS = frozenset({"goods", "shipping", "fee", "discount"})
TOTALS = ("total", "unit_total")  # what a line of the view has beside its own cells
_PRICE = Decimal("0.000001")


def with_totals(row: Mapping[str, Any]) -> dict[str, Any]:
    """A deal line with `total`, its sum with VAT and after its discount, and `unit_total`, the same for one piece."""
    total, qty = line_total(row), row.get("qty")
    if total is None:
        return dict(row)
    unit = (total / qty).quantize(_PRICE, ROUND_HALF_UP) if isinstance(qty, Decimal) and qty else total
    return {**row, "total": total, "unit_total": unit}


def kinds_of_rows(plan: RowsPlan) -> frozenset[str]:
    """The kinds of lines that this side tells apart: those that its blocks name."""
    found: set[str] = set()
    for block in plan.blocks:
        kind = next((cell.source for cell in block.plans if cell.name == "kind"), None)
        if kind is not None and kind.const is UNKNOWN:
            return KINDS
        found.add("goods" if kind is None else str(kind.const))
    return frozenset(found)


def rewritten(
    plan: RowsPlan, writer: RowsWriter, wanted: Sequence[Mapping[str, Any]] | None, native: dict[str, Any]
) -> list[dict[str, Any]] | None:
    """The native rows that say `wanted`; None when those that stand there say it already. Bad, RecordRefused: they cannot."""
    rows = [with_totals(row) for row in wanted or ()]
    kinds = kinds_of_rows(plan)
    current = read_rows(plan, native, (native, 0), [])
    shown = [] if current is UNKNOWN else current
    if current is not UNKNOWN and same(plan.name, in_our_words(rows, shown, kinds), rows):
        return None
    items = [] if current is UNKNOWN else paths.reader(writer.create.target)(native, (native, 0))
    known = matched(rows, shown, kinds)
    made: list[dict[str, Any]] = []
    for at, row in enumerate(rows):
        old = items[known[at]] if at in known else None
        new = created_row(writer.create, {plan.name: rows}, rows, at)
        if new is None:
            continue
        if old is None:
            made.append(new)
        elif means(row, shown[known[at]]):
            made.append(dict(old))
        else:
            made.append({**{name: old[name] for name in writer.keep if name in old}, **new})
    after = read_rows(plan, numbered(plan, writer, placed(writer, native, made)), (native, 0), [])
    return None if current is not UNKNOWN and after is not UNKNOWN and same(plan.name, after, current) else made


def placed(writer: RowsWriter, native: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The native record with these rows in their place."""
    found: dict[str, Any] = paths.replaced(dict(native), writer.create.target.segments, rows)
    return found


def numbered(plan: RowsPlan, writer: RowsWriter, native: dict[str, Any]) -> dict[str, Any]:
    """The record with a key of ours in rows that have none yet, so that it can be read before the other side gives one."""
    source = next((cell.source for cell in plan.blocks[0].plans if cell.name == "key"), None)
    rows = paths.reader(writer.create.target)(native, (native, 0))
    if source is None or source.chain is None or source.chain.path.base or not isinstance(rows, list):
        return native
    path = source.chain.path
    made = []
    for at, row in enumerate(rows):
        known = paths.reader(path)(row, (native, at + 1)) if isinstance(row, dict) else row
        made.append(paths.replaced(row, path.segments, f"new-{at}") if known is UNKNOWN or known is None else row)
    return placed(writer, native, made)
