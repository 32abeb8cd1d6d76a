"""The two laws of a lens for one native sample, as tests and `sverka check` ask them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.errors import RecordRefused
from sync.lens.language import Chain
from sync.lens.lens import Lens
from sync.lens.paths import Path, apply_patch
from sync.lens.plans import Plan
from sync.lens.values import same


def check_laws(lens: Lens, native: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> list[str]:
    """What is violated, empty when nothing is. `fields` are further canonical values to write and read again."""
    node = dict(native)
    read = lens.get(node).fields
    broken = _get_put(lens, node, read)
    for name in sorted(lens.two_way - set(lens.row_writers)):
        declared = _declared(lens, name)
        for value in declared:
            broken += _put_get(lens, node, name, value, must=True)
        for known in (fields or {}, read):
            if name in known and known[name] not in declared:
                broken += _put_get(lens, node if known is fields else {}, name, known[name], must=False)
    return broken


def places(lens: Lens) -> list[tuple[Path | None, Chain]]:
    """Every native place that the lens reads, with the list whose rows hold it: what made-up test records need."""
    plain = [chain for plan in (*lens.plans, *lens.client, *lens.event) for chain in plan.source.leaves]
    found: list[tuple[Path | None, Chain]] = [(None, chain) for chain in plain]
    for rows in lens.rows:
        for block in rows.blocks:
            found += [(block.each, chain) for plan in block.plans for chain in plan.source.leaves]
    return found


def _get_put(lens: Lens, node: dict[str, Any], read: Mapping[str, Any]) -> list[str]:
    try:
        patch = lens.put(read, node)
    except RecordRefused as refused:
        return [f"GetPut: {refused.field}: {refused.text.en}"]
    return [f"GetPut: writing back what was read would change {', '.join(sorted(patch))}"] if patch else []


def _put_get(lens: Lens, node: dict[str, Any], name: str, value: Any, must: bool) -> list[str]:
    """`must`: the mapping's own table says that the value can be written."""
    try:
        patch = lens.put({name: value}, node)
    except RecordRefused as refused:
        return [f"PutGet: {name} = {value!r}: {refused.text.en}"] if must else []
    after = lens.get(apply_patch(node, patch)).fields
    if name in after and same(after[name], _canonical(lens, name, value)):
        return []
    return [f"PutGet: {name} = {value!r} reads {after.get(name)!r} after it was written"]


def _declared(lens: Lens, name: str) -> list[Any]:
    """The words that the table of a field's way back gives: the mapping promises that they can be written."""
    chains = [chain for _, chain in _plan(lens, name).writers]
    steps = chains[0].steps if len(chains) == 1 else ()
    table = steps[-1].table if steps else None
    images = [value for word, value in table.words.items() if word != "*"] if table else []
    return [[image] for image in images] if _plan(lens, name).kind.plural else images


def _canonical(lens: Lens, name: str, value: Any) -> Any:
    return None if value is None else _plan(lens, name).kind.convert(value)


def _plan(lens: Lens, name: str) -> Plan:
    return next(plan for plan in lens.plans if plan.name == name)
