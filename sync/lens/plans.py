"""What a lens is made of, and how the parts are read: single fields, lists of rows. Reading never raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import is_normalized

from sync.errors import Text
from sync.lens import paths, values
from sync.lens.conditions import Test, always
from sync.lens.language import Chain, Expression
from sync.lens.paths import Path, Read, Scope
from sync.lens.problems import UNKNOWN, Bad, shorten
from sync.lens.values import Kind

MOST_PROBLEMS = 20  # of one field: a list of a hundred thousand broken rows is one trouble, not a hundred thousand
TWICE = Text(
    "Two rows have the same key. Choose a key in the mapping that tells them apart.",
    "У двух строк один и тот же ключ. Выберите в сопоставлении ключ, который их различает.",
)


@dataclass(frozen=True)
class FieldProblem:
    """One value that could not be taken over. `field` is the canonical place ("lines[3].qty"), `path` the native one."""

    field: str
    path: str
    value: str
    text: Text


@dataclass(slots=True)
class Translated:
    """What a lens read. Only reported fields are there; a bad one is left out and named in `problems`."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    problems: list[FieldProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one canonical field is read and, with `writers`, written: (key inside the field or "", the chain to write)."""

    name: str
    kind: Kind
    source: Expression
    writers: tuple[tuple[str, Chain], ...] = ()


Compiled = tuple[tuple[str, Read, str], ...]


def compiled(plans: Iterable[Plan]) -> Compiled:
    """The hot path's form of plans: (name, the way to its canonical value, native path)."""
    return tuple((plan.name, _taken(plan), plan.source.path) for plan in plans)


# Transforms whose result is a canonical value of the type already: it is not converted a second time.
_SETTLED: dict[str, dict[str, type]] = {
    "money": {"money": Decimal},
    "price": {"price": Decimal},
    "qty": {"qty": Decimal},
    "rate": {"rate": Decimal},
    "flag": {"bool": bool, "not": bool},
    "moment": {"utc": datetime, "zone": datetime, "date": datetime, "epoch": datetime},
    "text": {"text": str, "phone": str, "email": str},
}


def _convert(plan: Plan) -> Callable[[Any], Any]:
    convert, steps = plan.kind.convert, plan.source.chain.steps if plan.source.chain else ()
    result = _SETTLED.get(plan.kind.name, {}).get(steps[-1].name) if steps else None
    if result is None:
        return convert
    return lambda value: value if type(value) is result else convert(value)


_REMEMBERED = 4096  # values of one field
_SHORT = 4  # characters of a number worth remembering: stock and rates come again, prices hardly


def _taken(plan: Plan) -> Read:
    """Read and convert in one. The commonest shapes, a name alone and a name with one transform, have closures of their
    own."""
    run, convert = plan.source.run, _convert(plan)

    def take(node: Any, scope: Scope) -> Any:
        value = run(node, scope)
        return value if value is UNKNOWN or value is None else convert(value)

    chain = plan.source.chain
    if chain is None or chain.path.base or len(chain.path.segments) != 1 or len(chain.steps) > 1:
        return take
    name = chain.path.segments[0]
    if not isinstance(name, str):
        return take
    if not chain.steps:
        return _text_taken(name, take) if plan.kind.convert is values.as_text else take
    step = chain.steps[0]
    if step.name == "list" and plan.kind.convert is values.as_texts:
        return _listed(name, take)
    numbers = _SETTLED.get(plan.kind.name, {}).get(step.name) is Decimal
    return _remembering(name, take, 40 if step.table else _SHORT, step.forward if numbers else None)


def _text_taken(name: str, take: Read) -> Read:
    def text(node: Any, scope: Scope) -> Any:
        if type(node) is dict:
            value = node.get(name, UNKNOWN)
            if type(value) is str and value.isprintable() and (value.isascii() or is_normalized("NFC", value)):
                return value.strip() or None
            if value is UNKNOWN:
                return value
        return take(node, scope)

    return text


def _listed(name: str, take: Read) -> Read:
    """One text that is read as a list of texts: a bar code, a phone."""

    def listed(node: Any, scope: Scope) -> Any:
        value = node.get(name, UNKNOWN) if type(node) is dict else UNKNOWN
        if type(value) is str and value.isascii() and value.isalnum():
            return [value]
        return take(node, scope)

    return listed


def _remembering(name: str, take: Read, longest: int, number: Callable[[Any], Any] | None) -> Read:
    """For what depends on nothing but one text or whole number: what came of the short ones is remembered. `number` gives the
    final value at once, or raises what `take` then says with its place."""
    known: dict[str | int, Any] = {}

    def remembered(node: Any, scope: Scope) -> Any:
        value = node.get(name, UNKNOWN) if type(node) is dict else UNKNOWN
        kind = type(value)
        if kind is not str and (kind is not int or number is None):
            return take(node, scope)
        found = known.get(value)
        if found is None:
            if number is None:
                found = take(node, scope)
            else:
                try:
                    found = number(value)
                except Bad:
                    return take(node, scope)
            small = len(value) <= longest if kind is str else -9999 <= value <= 9999
            if small and len(known) < _REMEMBERED and type(found) in (str, Decimal):
                known[value] = found
        return found

    return remembered


@dataclass(frozen=True, slots=True)
class Block:
    """Rows from one place: `each` None makes one row of the record itself."""

    each: Path | None
    read: Read
    when: Test
    plans: tuple[Plan, ...]
    compiled: Compiled
    usual: Callable[[Any, Scope], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class RowsPlan:
    name: str
    kind: Kind
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class CreateRows:
    """Native rows made from canonical ones."""

    target: Path
    blocks: tuple[tuple[Read, Test, tuple[tuple[Path, Expression], ...]], ...]


@dataclass(frozen=True, slots=True)
class RowsWriter:
    """A list of rows that is written as a whole: by the create section's rows of the same place. `keep` are native names
    of a row that stay when it changes."""

    create: CreateRows
    keep: tuple[str, ...] = ()


def read_fields(
    plans: Compiled, node: Any, scope: Scope, problems: list[FieldProblem], prefix: str, place: str = ""
) -> dict[str, Any]:
    """The reported values of the plans; what is bad goes to `problems` under `prefix`, its native place after `place`."""
    found: dict[str, Any] = {}
    for name, take, path in plans:
        try:
            value = take(node, scope)
            if value is not UNKNOWN:
                found[name] = value
        except Bad as bad:
            where = bad.path or path
            where = where if where.startswith("$") else place + where
            problems.append(FieldProblem(f"{prefix}{name}{bad.inner}", where, shorten(bad.value), bad.text))
    return found


def read_rows(plan: RowsPlan, node: Any, scope: Scope, problems: list[FieldProblem]) -> Any:
    """All rows of all blocks; UNKNOWN when no block's place exists, or when any row is bad: a row is never dropped."""
    made: list[dict[str, Any]] = []
    mine: list[FieldProblem] = []
    reported = False
    for block in plan.blocks:
        place = block.each.text if block.each else ""
        try:
            items = block.read(node, scope)
            if items is UNKNOWN:
                continue
            reported = True
            if paths.nothing(items):
                continue
            if not isinstance(items, list):
                raise Bad(values.NOT_ROWS, items)
            for at, item in enumerate(items, 1):
                inner = (scope[0], at)
                if block.when is not always and not block.when(item, inner):
                    continue
                row = block.usual(item, inner)
                if row is None:
                    row = _row(plan, block, item, inner, len(made), mine)
                    if len(mine) >= MOST_PROBLEMS:
                        break
                made.append(row)
        except Bad as bad:
            mine.append(FieldProblem(plan.name, bad.path or place, shorten(bad.value), bad.text))
    if not mine:
        _tell_apart(plan, made, mine)
    problems.extend(mine)
    return made if reported and not mine else UNKNOWN


def usual_row(kind: Kind, plans: Compiled) -> Callable[[Any, Scope], dict[str, Any] | None]:
    """Reads a row that is without a problem, the hot path; None where there is one: `_row` names it."""
    full = kind.needed | kind.filled
    steps = tuple((name, take, name in kind.needed, name in full) for name, take, _ in plans)

    def usual(item: Any, scope: Scope) -> dict[str, Any] | None:
        row: dict[str, Any] = {}
        try:
            for name, take, needed, filled in steps:
                value = take(item, scope)
                if value is UNKNOWN:
                    if needed:
                        return None
                elif value is None and filled:
                    return None
                else:
                    row[name] = value
        except Bad:
            return None
        return row

    return usual


def _row(
    plan: RowsPlan, block: Block, item: Any, scope: Scope, at: int, problems: list[FieldProblem]
) -> dict[str, Any]:
    place = f"{block.each.text}[{scope[1] - 1}]" if block.each else ""
    before = len(problems)
    row = read_fields(block.compiled, item, scope, problems, f"{plan.name}[{at}].", f"{place}." if place else "")
    if len(problems) == before:
        try:
            values.row_checked(plan.kind, row, f"[{at}]")
        except Bad as bad:
            problems.append(FieldProblem(f"{plan.name}{bad.inner}", place, shorten(bad.value), bad.text))
    return row


def _tell_apart(plan: RowsPlan, made: list[dict[str, Any]], problems: list[FieldProblem]) -> None:
    """Rows with one key would be taken for one row. The lines of an order may well name a product twice: the second gets
    the key "id#2". For other rows (payments, prices) a repeated key is a problem, since numbering would count them twice."""
    if "key" not in plan.kind.needed or len({row["key"] for row in made}) == len(made):
        return
    seen: dict[str, int] = {}
    for at, row in enumerate(made):
        key = row["key"]
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1:
            continue
        if not plan.kind.numbered:
            problems.append(FieldProblem(f"{plan.name}[{at}].key", "", shorten(key), TWICE))
            return
        row["key"] = f"{key}#{seen[key]}"
