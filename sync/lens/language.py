"""Expressions of a mapping file, compiled once into closures: no parsing and no evaluator at run time.

"a.b[0] | transform | transform(arg)"      a path and transforms
{ const = 1 }  { first = [...] }  { join = [...], sep = " " }  { list = [...] }  { dict = { name = … } }
the last four take  then = "transform | transform"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from sync.errors import Text
from sync.lens import paths, values
from sync.lens.paths import Path, Read, Scope
from sync.lens.problems import UNKNOWN, Bad, Mistake, unknown_name
from sync.lens.transforms import EACH, NAMES, WITH_ARGUMENT, Step, Table, WrongArgument, make

Key = tuple[str | int, ...]

LONGEST = 8  # transforms in a row
DEEPEST = 4  # expressions inside expressions
FORMS = ("const", "first", "join", "list", "dict")
_STEP = re.compile(
    r"""\s*(?P<name>[^\s()|'"]+)\s*(?P<call>\(\s*(?:'(?P<one>[^']*)'|"(?P<two>[^"]*)"|(?P<raw>[^()]*?))\s*\))?\s*(?:\||$)"""
)
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Chain:
    """A path with its transforms: the only shape of expression that can be written."""

    path: Path
    steps: tuple[Step, ...]
    read: Read

    @property
    def two_way(self) -> bool:
        return self.path.base == "" and bool(self.path.segments) and all(step.back for step in self.steps)

    def olds(self, native: Mapping[str, Any]) -> list[Any]:
        """The old value before each transform and after the last; UNKNOWN from where it cannot be read on."""
        found: list[Any] = []
        value: Any = UNKNOWN
        try:
            value = self.read(native, (native, 0))
            for step in self.steps:
                found.append(value)
                value = apply(step, value)
        except Bad:
            value = UNKNOWN
        found.append(value)
        return found + [UNKNOWN] * (len(self.steps) + 1 - len(found))


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `chain` is there when it is a path with transforms, `parts` when it is a dict form."""

    run: Read
    path: str  # for people: where the value comes from
    chain: Chain | None = None
    parts: Mapping[str, Expression] | None = None
    const: Any = UNKNOWN
    leaves: tuple[Chain, ...] = ()  # every path in it


@dataclass(frozen=True)
class Compiler:
    """Compiles the expressions of one native kind."""

    tables: Mapping[str, Table]
    check: Callable[[Path, Key], None] | None = None  # refuses paths that cannot exist (the canonical view's)

    def expression(self, source: Any, key: Key, depth: int = 0) -> Expression:
        if isinstance(source, str):
            return self._pipeline(source, key)
        if not isinstance(source, dict) or depth > DEEPEST:
            raise Mistake(
                key,
                "mapping.expression",
                Text(
                    "A path in quotes or a table like { const = … }, { first = […] }, { join = […] } is expected here.",
                    "Здесь нужен путь в кавычках или таблица вида { const = … }, { first = […] }, { join = […] }.",
                ),
            )
        form = next((name for name in FORMS if name in source), None)
        extra = {"const": set(), "join": {"sep", "then"}}.get(form or "", {"then"})
        for name in source:
            if name != form and name not in extra:
                allowed = {form, *extra} if form else set(FORMS)
                raise unknown_name(key, "mapping.expression", Text("Word", "Слово"), name, allowed)
        if form is None:
            raise Mistake(key, "mapping.expression", Text("The table is empty.", "Таблица пуста."))
        if form == "const":
            return self._const(source["const"], key)
        if form == "dict":
            return self._dict(source["dict"], source.get("then"), key, depth)
        return self._several(form, source, key, depth)

    def _pipeline(self, source: str, key: Key) -> Expression:
        head, *rest = _BAR.split(source, maxsplit=1)
        path = parse_path(head.strip(), key)
        if self.check:
            self.check(path, key)
        steps = self.steps(rest[0], key) if rest else ()
        chain = Chain(path, steps, paths.reader(path))
        return Expression(_chained(chain.read, steps, path.text), path.text, chain, leaves=(chain,))

    def steps(self, source: Any, key: Key) -> tuple[Step, ...]:
        """The transforms of "a | b(c)"."""
        steps: list[Step] = []
        at = 0
        while isinstance(source, str) and at < len(source):
            found = _STEP.match(source, at)
            if found is None:
                break
            raw = next((a for a in (found["one"], found["two"], found["raw"]) if a is not None), None)
            steps.append(self._step(found["name"], raw, key))
            at = found.end()
        if not isinstance(source, str) or at < len(source) or not steps or source.rstrip().endswith("|"):
            raise Mistake(
                key,
                "mapping.transform",
                Text(
                    f"“{str(source)[:60]}” is not read: transforms look like “money | default(0)”.",
                    f"«{str(source)[:60]}» не читается: преобразования пишутся так: «money | default(0)».",
                ),
            )
        if len(steps) > LONGEST:
            raise Mistake(
                key,
                "mapping.length",
                Text(
                    f"{len(steps)} transforms in a row; at most {LONGEST} are allowed.",
                    f"Преобразований подряд: {len(steps)}; можно не больше {LONGEST}.",
                ),
            )
        return tuple(steps)

    def _step(self, name: str, arg: str | None, key: Key) -> Step:
        if name not in NAMES:
            raise unknown_name(key, "mapping.transform", Text("Transform", "Преобразование"), name, NAMES)
        if (name in WITH_ARGUMENT) != (arg is not None and arg != ""):
            en, ru = ("needs an argument", "нужен аргумент") if name in WITH_ARGUMENT else ("takes none", "не нужен")
            text = Text(f"{name}(…): the transform {en}.", f"{name}(…): преобразованию {ru} в скобках.")
            raise Mistake(key, "mapping.argument", text)
        table = self.tables.get(arg or "")
        if name == "lookup" and table is None:
            raise unknown_name(key, "mapping.table", Text("Table", "Таблица"), arg or "", self.tables)
        try:
            return make(name, arg or "", table)
        except WrongArgument as wrong:
            raise Mistake(key, "mapping.argument", wrong.text) from None

    def _const(self, value: Any, key: Key) -> Expression:
        if isinstance(value, dict | date | time):
            text = Text(
                "const takes a text, number, true/false or list.", "const: текст, число, true/false или список."
            )
            raise Mistake(key, "mapping.const", text)
        return Expression(lambda node, scope: value, "", const=value)

    def _dict(self, source: Any, then: Any, key: Key, depth: int) -> Expression:
        if not isinstance(source, dict) or not source or then is not None:
            text = Text("dict takes { name = expression, … } and no then.", "dict: { имя = выражение, … }, без then.")
            raise Mistake(key, "mapping.expression", text)
        parts = {name: self.expression(item, (*key, name), depth + 1) for name, item in source.items()}

        def run(node: Any, scope: Scope) -> Any:
            found = {name: part.run(node, scope) for name, part in parts.items()}
            known = {name: value for name, value in found.items() if value is not UNKNOWN}
            return known or UNKNOWN

        leaves = _leaves(parts.values())
        return Expression(run, ", ".join(part.path for part in parts.values()), None, parts, leaves=leaves)

    def _several(self, form: str, source: Mapping[str, Any], key: Key, depth: int) -> Expression:
        items, sep = source[form], source.get("sep", " ")
        if not isinstance(items, list) or not items or not isinstance(sep, str):
            text = Text(f"{form} takes a list of expressions.", f"{form}: нужен список выражений.")
            raise Mistake(key, "mapping.expression", text)
        parts = [self.expression(item, key, depth + 1) for item in items]
        runs = [part.run for part in parts]
        run = _first_of(runs) if form == "first" else _list_of(runs) if form == "list" else _joined(runs, sep)
        path = ", ".join(part.path for part in parts if part.path)
        steps = self.steps(source["then"], key) if "then" in source else ()
        return Expression(_chained(run, steps, path) if steps else run, path, leaves=_leaves(parts))


def _leaves(parts: Iterable[Expression]) -> tuple[Chain, ...]:
    return tuple(chain for part in parts for chain in part.leaves)


def parse_path(text: str, key: Key) -> Path:
    try:
        return paths.parse_path(text)
    except ValueError:
        raise Mistake(
            key,
            "mapping.path",
            Text(
                f"“{text[:60]}” is no path: names divided by points are expected, like billing.phone or phones[0].value.",
                f"«{text[:60]}» не путь: нужны имена через точку, как billing.phone или phones[0].value.",
            ),
        ) from None


def apply(step: Step, value: Any) -> Any:
    """One transform. An empty value passes by all but those that fill; a list is taken item by item unless wanted whole."""
    if not step.fills:
        if value is UNKNOWN or value is None:
            return value
        if isinstance(value, str) and values.not_filled(value):
            return None
    if step.mode == EACH and isinstance(value, list):
        found: list[Any] = []
        for item in value:
            image = None if values.not_filled(item) else step.forward(item)
            if image is not None:
                found.append(image)
        return found
    return step.forward(value)


def _chained(read: Read, steps: tuple[Step, ...], path: str) -> Read:
    if not steps:
        return read
    if len(steps) == 1 and not steps[0].fills:
        forward, only = steps[0].forward, steps[0]

        def single(node: Any, scope: Scope) -> Any:  # the commonest shape, without the loop
            try:
                value = read(node, scope)
                if value is UNKNOWN or value is None:
                    return value
                return forward(value) if type(value) is str and value.strip() else apply(only, value)
            except Bad as bad:
                bad.path = bad.path or path
                raise

        return single

    def run(node: Any, scope: Scope) -> Any:
        try:
            value = read(node, scope)
            for step in steps:
                value = apply(step, value)
            return value
        except Bad as bad:
            bad.path = bad.path or path
            raise

    return run


def _first_of(runs: list[Read]) -> Read:
    def run(node: Any, scope: Scope) -> Any:
        best: Any = UNKNOWN
        for one in runs:
            value = one(node, scope)
            if value is UNKNOWN:
                continue
            if (bool(value) and not value.isspace()) if type(value) is str else not values.not_filled(value):
                return value
            best = None
        return best

    return run


def _list_of(runs: list[Read]) -> Read:
    def run(node: Any, scope: Scope) -> Any:
        found = [value for one in runs if (value := one(node, scope)) is not UNKNOWN]
        return _unique(found) if found else UNKNOWN

    return run


def _unique(found: list[Any]) -> list[Any]:
    """The filled values of several places in their order, lists taken apart, each value once."""
    unique: list[Any] = []
    for value in found:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list):
                raise Bad(values.NOT_A_TEXT, item)
            if not values.not_filled(item) and item not in unique:
                unique.append(item)
    return unique


def _joined(runs: list[Read], sep: str) -> Read:
    def run(node: Any, scope: Scope) -> Any:
        found: list[str] = []
        reported = False
        for one in runs:
            value = one(node, scope)
            if value is UNKNOWN:
                continue
            reported = True
            if isinstance(value, list):
                found += values.as_texts(value)
            elif value is not None and (text := values.as_text(value)):
                found.append(text)
        return (sep.join(found) or None) if reported else UNKNOWN

    return run
