"""The query language of 1C's OData (v3): literals, operators, functions, casts and lambdas, evaluated over plain rows.

Written from the platform's published description (chapter "Стандартный интерфейс OData"). What it does not know it refuses
as 1C does, with the error code of its table (1 parse, 4 bad value, 10 no property, 11 no method, 12 missing argument).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<guid>guid'[^']*')|(?P<datetime>datetime'[^']*')|(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[^\W\d]\w*)|(?P<mark>[(),/:]))"
)
_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_SUM: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}
Row = Mapping[str, Any]


class Refused(Exception):
    """What 1C would answer: an error code of its table and the words."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Reference:
    """A value of a composite type: the id and the type it is of."""

    id: str
    type: str


@dataclass
class Context:
    """What an expression needs beside its row: a property's value (with its type), and lambda variables."""

    value: Callable[[Row, list[str]], Any]
    variables: dict[str, Row]


Node = Callable[[Row, Context], Any]


def parse(text: str) -> Node:
    """A filter as a function of a row; Refused when it cannot be read."""
    return _Parser(text).whole()


def literal(text: str) -> Any:
    """A key or parameter literal as its value."""
    parser = _Parser(text)
    return parser.whole()({}, Context(lambda _, path: "/".join(path), {}))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Refused(1, f"Ошибка разбора: {text[at : at + 20]}")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind]))
            at = match.end()
        self.at = 0

    def whole(self) -> Node:
        node = self.either()
        if self.at != len(self.tokens):
            raise Refused(1, f"Ошибка разбора: {self.peek()[1]}")
        return node

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, value: str = "") -> str:
        found = self.peek()[1]
        if value and found != value:
            raise Refused(1, f"Ожидается {value}")
        self.at += 1
        return found

    def either(self) -> Node:
        node = self.both()
        while self.peek() == ("name", "or"):
            self.take()
            left, right = node, self.both()
            node = lambda r, c, a=left, b=right: a(r, c) or b(r, c)  # noqa: E731
        return node

    def both(self) -> Node:
        node = self.negated()
        while self.peek() == ("name", "and"):
            self.take()
            left, right = node, self.negated()
            node = lambda r, c, a=left, b=right: a(r, c) and b(r, c)  # noqa: E731
        return node

    def negated(self) -> Node:
        if self.peek() == ("name", "not"):
            self.take()
            inner = self.negated()
            return lambda r, c: not inner(r, c)
        return self.compared()

    def compared(self) -> Node:
        left = self.summed()
        kind, word = self.peek()
        if kind != "name" or word not in _COMPARE:
            return left
        self.take()
        right, compare = self.summed(), _COMPARE[word]

        def node(r: Row, c: Context) -> bool:
            a, b = _alike(left(r, c), right(r, c))
            try:
                return compare(a, b)
            except TypeError:
                raise Refused(4, f"Несопоставимые значения: {word}") from None

        return node

    def summed(self) -> Node:
        node = self.value()
        while self.peek()[0] == "name" and self.peek()[1] in _SUM:
            compute = _SUM[self.take()]
            left, right = node, self.value()
            node = lambda r, c, a=left, b=right, f=compute: f(a(r, c), b(r, c))  # noqa: E731
        return node

    def value(self) -> Node:
        kind, text = self.peek()
        if text == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if kind in ("guid", "datetime", "string", "number"):
            self.take()
            constant = _constant(kind, text)
            return lambda r, c: constant
        if kind != "name":
            raise Refused(1, f"Ошибка разбора: {text or 'конец выражения'}")
        self.take()
        if text in ("true", "false", "null"):
            word = {"true": True, "false": False, "null": None}[text]
            return lambda r, c: word
        if self.peek()[1] == "(":
            return self.called(text)
        return self.path(text)

    def path(self, first: str) -> Node:
        parts = [first]
        while self.peek()[1] == "/":
            self.take()
            name = self.take()
            if name in ("any", "all") and self.peek()[1] == "(":
                return self.quantified(parts, name)
            parts.append(name)

        def node(r: Row, c: Context) -> Any:
            if parts[0] in c.variables:
                return c.value(c.variables[parts[0]], parts[1:])
            return c.value(r, parts)

        return node

    def quantified(self, parts: list[str], word: str) -> Node:
        self.take("(")
        variable = self.take()
        self.take(":")
        inner = self.either()
        self.take(")")
        every = all if word == "all" else any

        def node(r: Row, c: Context) -> bool:
            rows = c.value(r, parts)
            return every(inner(r, Context(c.value, {**c.variables, variable: one})) for one in rows or [])

        return node

    def called(self, name: str) -> Node:
        self.take("(")
        arguments: list[Node] = []
        while self.peek()[1] != ")":
            arguments.append(self.either())
            if self.peek()[1] == ",":
                self.take()
        self.take(")")
        function = FUNCTIONS.get(name)
        if function is None:
            raise Refused(11, f"Метод не найден: {name}")
        least, compute = function
        if len(arguments) < least:
            raise Refused(12, f"Недостаточно аргументов: {name}")
        return lambda r, c: compute(*(a(r, c) for a in arguments))


def _constant(kind: str, text: str) -> Any:
    body = text[text.index("'") + 1 : -1] if kind != "number" else text
    try:
        if kind == "guid":
            if not _GUID.match(body):
                raise ValueError(body)
            return body.lower()
        if kind == "datetime":
            return datetime.fromisoformat(body)
        return Decimal(body) if kind == "number" else body.replace("''", "'")
    except (ValueError, InvalidOperation):
        raise Refused(4, f"Неверное значение: {text}") from None


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Values of one type: dates come as text in rows, numbers as int or Decimal, guids in any case."""
    if isinstance(a, Reference) != isinstance(b, Reference):
        return (a.id if isinstance(a, Reference) else a), (b.id if isinstance(b, Reference) else b)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, datetime) and isinstance(other, str):
            try:
                moved = datetime.fromisoformat(other)
            except ValueError:
                raise Refused(4, f"Неверное значение: {other}") from None
            return (one, moved) if one is a else (moved, one)
    if isinstance(a, str) and isinstance(b, str) and _GUID.match(a) and _GUID.match(b):
        return a.lower(), b.lower()
    return a, b


def _when(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def _like(text: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace("%", ".*").replace("_", "."), text) is not None


def _substring(text: str, start: Any, length: Any = None) -> str:
    at = int(start) - 1
    return text[at : at + int(length)] if length is not None else text[at:]


def _dateadd(moment: Any, unit: str, number: Any) -> datetime:
    return _when(moment) + timedelta(**{f"{unit.lower().rstrip('s')}s": int(number)})


def _cast(value: Any, kind: str) -> Any:
    return Reference(str(value).lower(), kind)


def _isof(value: Any, kind: str) -> bool:
    return isinstance(value, Reference) and value.type == kind


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "substringof": (2, lambda part, text: part in text),
    "startswith": (2, lambda text, part: text.startswith(part)),
    "endswith": (2, lambda text, part: text.endswith(part)),
    "like": (2, _like),
    "substring": (2, _substring),
    "concat": (2, lambda a, b: f"{a}{b}"),
    "year": (1, lambda m: Decimal(_when(m).year)),
    "month": (1, lambda m: Decimal(_when(m).month)),
    "day": (1, lambda m: Decimal(_when(m).day)),
    "hour": (1, lambda m: Decimal(_when(m).hour)),
    "quarter": (1, lambda m: Decimal((_when(m).month + 2) // 3)),
    "dayofweek": (1, lambda m: Decimal(_when(m).isoweekday())),
    "dayofyear": (1, lambda m: Decimal(_when(m).timetuple().tm_yday)),
    "dateadd": (3, _dateadd),
    "datedifference": (
        3,
        lambda a, b, unit: (
            Decimal(int((_when(b) - _when(a)).total_seconds()))
            // {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit.lower()]
        ),
    ),
    "cast": (2, _cast),
    "isof": (2, _isof),
}
