"""`when = { field, op, value }`: which rows a block takes. Also { all = [when, …] } and { any = [when, …] }."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sync.errors import Text
from sync.lens import values
from sync.lens.language import Compiler, Key
from sync.lens.paths import Scope
from sync.lens.problems import UNKNOWN, Bad, Mistake, unknown_name

Test = Callable[[Any, Scope], bool]

OPS = ("eq", "ne", "in", "empty", "filled", "gt", "lt")


def always(node: Any, scope: Scope) -> bool:
    return True


def compile_when(source: Any, key: Key, compiler: Compiler, depth: int = 0) -> Test:
    """A missing value equals nothing, is neither greater nor less, and is empty."""
    if isinstance(source, dict) and len(source) == 1 and depth < 4:
        for word in ("all", "any"):
            items = source.get(word)
            if isinstance(items, list) and items:
                return _combined([compile_when(item, key, compiler, depth + 1) for item in items], word == "any")
    if not isinstance(source, dict) or "field" not in source or "op" not in source:
        text = Text("when takes { field = …, op = …, value = … }.", "when: нужно { field = …, op = …, value = … }.")
        raise Mistake(key, "mapping.when", text)
    for name in source:
        if name not in ("field", "op", "value"):
            raise unknown_name(key, "mapping.when", Text("Word", "Слово"), name, ("field", "op", "value"))
    op, value = source["op"], source.get("value", UNKNOWN)
    if op not in OPS:
        raise unknown_name(key, "mapping.when", Text("Operation", "Операция"), str(op), OPS)
    _check_value(op, value, key)
    read = compiler.expression(source["field"], key).run
    test = _tests(value)[op]
    return lambda node, scope: test(read(node, scope))


def _check_value(op: str, value: Any, key: Key) -> None:
    fits = {
        "empty": value is UNKNOWN,
        "filled": value is UNKNOWN,
        "in": isinstance(value, list) and all(isinstance(item, str | int | Decimal) for item in value),
        "gt": isinstance(value, int | Decimal) and not isinstance(value, bool),
        "lt": isinstance(value, int | Decimal) and not isinstance(value, bool),
    }.get(op, isinstance(value, str | int | Decimal))
    if not fits:
        text = Text(
            f"The value of “{op}” does not fit: eq, ne take one value, in a list, gt, lt a number, empty, filled none.",
            f"Значение для «{op}» не подходит: eq, ne — одно значение, in — список, gt, lt — число, empty, filled — без него.",
        )
        raise Mistake(key, "mapping.when", text)


def _combined(tests: list[Test], decisive: bool) -> Test:
    """The first test that gives `decisive` decides: True for any, False for all."""

    def run(node: Any, scope: Scope) -> bool:
        for test in tests:
            if test(node, scope) is decisive:
                return decisive
        return not decisive

    return run


def _tests(wanted: Any) -> dict[str, Callable[[Any], bool]]:
    def empty(found: Any) -> bool:
        return found is UNKNOWN or values.not_filled(found)

    def filled(found: Any) -> bool:
        if type(found) is str:  # asked of every row
            return bool(found) and not found.isspace()
        return not empty(found)

    return {
        "eq": lambda found: equal(found, wanted),
        "ne": lambda found: not equal(found, wanted),
        "in": lambda found: any(equal(found, one) for one in wanted),
        "empty": empty,
        "filled": filled,
        "gt": lambda found: not empty(found) and values.to_decimal(found, None) > wanted,
        "lt": lambda found: not empty(found) and values.to_decimal(found, None) < wanted,
    }


def equal(found: Any, wanted: Any) -> bool:
    """Equal in the sense of the wanted value: "0.00" equals 0, "Y" equals true, " новый " equals "новый"."""
    if found is UNKNOWN or found is None:
        return False
    try:
        if isinstance(wanted, bool):
            return values.as_flag(found) is wanted
        if isinstance(wanted, str):
            if found == wanted:
                return True
            if isinstance(found, bool):
                return wanted == ("true" if found else "false")
            return (values.as_text(found) or "") == wanted
        return bool(values.to_decimal(found, None) == wanted)
    except Bad:
        return False
