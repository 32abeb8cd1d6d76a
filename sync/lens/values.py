"""The canonical types as converters: what a value must be, to enter a canonical field and to leave for a native one.

They are read off the model's annotations once. A converter takes whatever came (never None or UNKNOWN) and gives the
canonical value, None for an empty one, or raises Bad; it is several times cheaper than validating a whole model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin
from unicodedata import is_normalized

from pydantic import BaseModel

from sync.errors import Text
from sync.lens import times
from sync.lens.problems import UNKNOWN, Bad
from sync.model.records import CLIENT_FIELDS, KINDS, Activity, DealLine
from sync.model.types import (
    MONEY_PLACES,
    PRICE_PLACES,
    QTY_PLACES,
    Moment,
    Money,
    Quantity,
    Rate,
    Str,
    UnitPrice,
    decimal_of,
    plain,
    text_of,
)

Convert = Callable[[Any], Any]

WORD_PAIRS = (
    ("true", "false"),
    ("yes", "no"),
    ("да", "нет"),
    ("1", "0"),
    ("y", "n"),
    ("on", "off"),
    ("истина", "ложь"),
)
WORDS = {word: truth for pair in WORD_PAIRS for word, truth in zip(pair, (True, False), strict=True)}

NOT_A_TEXT = Text("A text is expected.", "Ожидается текст.")
NOT_A_NUMBER = Text(
    "A number written in digits is expected (1234.50), below 10 000 000 000 000.",
    "Ожидается число цифрами (1234.50), меньше 10 000 000 000 000.",
)
NOT_WHOLE = Text("A whole number is expected.", "Ожидается целое число.")
NOT_A_FLAG = Text(
    "Yes or no is expected: true/false, yes/no, да/нет, 1/0, Y/N.",
    "Ожидается да или нет: true/false, да/нет, 1/0, Y/N.",
)
NOT_ONE = Text(
    "A list where one value is expected. Add “| first” or “[0]” to the mapping.",
    "Список там, где ожидается одно значение. Добавьте в сопоставление «| first» или «[0]».",
)
NOTWORDS = Text("A record of texts is expected.", "Ожидается запись из текстов.")
NOT_ROWS = Text("A list of records is expected.", "Ожидается список записей.")
ROW_WITHOUT = Text("The row must have this value and has none.", "У строки должно быть это значение, а его нет.")
RECORD_WITHOUT = Text("The record must have this value and has none.", "У записи должно быть это значение, а его нет.")
ROW_EXTRA = Text("A row has no such field.", "У строки нет такого поля.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One canonical type. `plural` takes lists; `row` has the types of a list's records, `needed` its required fields."""

    name: str
    convert: Convert
    places: int | None = None
    plural: bool = False
    row: dict[str, Kind] | None = None
    needed: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()  # of a row: fields that may be absent but not empty
    numbered: bool = False  # rows whose repeated keys are told apart by a number (lines of the same product)


def as_text(value: Any) -> str | None:
    if type(value) is str:
        usual = value.isprintable() and (value.isascii() or is_normalized("NFC", value))
        text = value.strip() if usual else text_of(value)
        return text or None
    if type(value) is int or type(value) is Decimal:
        return number_text(value)
    only_nothing(value, NOT_A_TEXT)
    return None


def number_text(value: int | Decimal) -> str:
    """Digits of a number; Bad where there would be thousands of them."""
    if isinstance(value, int):
        if value.bit_length() > 512:
            raise Bad(NOT_A_NUMBER, value)
        return str(value)
    if not value.is_finite() or abs(value.adjusted()) > 100 or len(value.as_tuple().digits) > 100:
        raise Bad(NOT_A_NUMBER, value)
    return plain(value)


_USUAL = re.compile(r"-?[0-9]{1,13}(?:\.[0-9]{1,12})?").fullmatch
_UNITS = {places: Decimal(1).scaleb(-places) for places in (MONEY_PLACES, QTY_PLACES, PRICE_PLACES)}


def as_decimal(places: int) -> Convert:
    """The converter to that many places, rounded half up."""
    unit = _UNITS[places]

    def convert(value: Any) -> Decimal | None:
        if type(value) is str and _USUAL(value):  # the usual cases take a short way
            exact = value[-places - 1 : -places] == "."
            return Decimal(value) if exact else Decimal(value).quantize(unit, ROUND_HALF_UP)
        if isinstance(value, str | list) and not_filled(value):
            return None
        return to_decimal(value, places)

    return convert


def to_decimal(value: Any, places: int | None) -> Decimal:
    """A Decimal from digits; Bad for a float (binary fractions are no money), NaN, letters and absurd sizes."""
    if type(value) is str and _USUAL(value):  # the usual case takes a short way
        return Decimal(value) if places is None else Decimal(value).quantize(_UNITS[places], ROUND_HALF_UP)
    if isinstance(value, list):
        raise Bad(NOT_ONE, value)
    if not isinstance(value, str | int | Decimal) or (isinstance(value, str) and ("_" in value or len(value) > 100)):
        raise Bad(NOT_A_NUMBER, value)
    try:
        return decimal_of(value, places)
    except (ValueError, ArithmeticError):
        raise Bad(NOT_A_NUMBER, value) from None


def as_whole(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if text.isascii() and text.isdecimal() and len(text) <= 60:
            return int(text)
    number = to_decimal(value, None)
    if number != number.to_integral_value():
        raise Bad(NOT_WHOLE, value)
    return int(number)


def as_moment(value: Any) -> datetime | None:
    if isinstance(value, str | datetime):
        return times.to_utc(value, None)
    only_nothing(value, times.NOT_A_TIME)
    return None


def as_flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        truth = WORDS.get(value.strip().lower()[:10])
        if truth is not None:
            return truth
    elif isinstance(value, int | Decimal) and value in (0, 1):
        return bool(value)
    only_nothing(value, NOT_A_FLAG)
    return None


def only_nothing(value: Any, expected: Text) -> None:
    """An empty list is PHP's word for nothing; any other value is Bad."""
    if not isinstance(value, list) or value:
        raise Bad(NOT_ONE if isinstance(value, list) else expected, value)


def as_texts(value: Any) -> list[str]:
    """A list of texts from a list or one scalar, empty ones left out."""
    texts = []
    for place, item in enumerate(value if isinstance(value, list) else [value]):
        try:
            text = None if item is None else as_text(item)
        except Bad as bad:
            bad.inner = f"[{place}]" if isinstance(value, list) else ""
            raise
        if text:
            texts.append(text)
    return texts


def as_words(value: Any) -> dict[str, str]:
    """Names with texts (utm, the raw answers of a form), empty ones left out; a list of texts is joined with commas."""
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise Bad(NOTWORDS, value)
    words: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, bool):
            item = "true" if item else "false"
        try:
            text = None if item is None else ", ".join(as_texts(item)) if isinstance(item, list) else as_text(item)
        except Bad as bad:
            bad.inner = f".{str(name)[:40]}"
            raise
        if text:
            words[text_of(name)] = text
    return words


def as_client_texts(value: Any) -> Any:
    """An identifier of a client: one text, or a list of them where the system has several."""
    return (as_texts(value) or None) if isinstance(value, list) else as_text(value)


def row_checked(kind: Kind, row: dict[str, Any], inner: str) -> None:
    """Bad when a row lacks what its model requires."""
    for name in kind.needed:
        if row.get(name) is None:
            raise Bad(ROW_WITHOUT, row.get(name, UNKNOWN), inner=f"{inner}.{name}")
    for name in kind.filled:
        if name in row and row[name] is None:
            raise Bad(ROW_WITHOUT, None, inner=f"{inner}.{name}")


def _rows(types: dict[str, Kind], needed: frozenset[str], filled: frozenset[str]) -> Convert:
    shape = Kind("row", lambda value: value, row=types, needed=needed, filled=filled)

    def convert(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise Bad(NOT_ROWS, value)
        return [_row(shape, item, f"[{place}]") for place, item in enumerate(value)]

    return convert


def _row(shape: Kind, item: Any, inner: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Bad(NOT_ROWS, item, inner=inner)
    row: dict[str, Any] = {}
    for name, value in item.items():
        kind = (shape.row or {}).get(name)
        if kind is None:
            raise Bad(ROW_EXTRA, value, inner=f"{inner}.{str(name)[:40]}")
        try:
            row[name] = None if value is None else kind.convert(value)
        except Bad as bad:
            bad.inner = f"{inner}.{name}{bad.inner}"
            raise
    row_checked(shape, row, inner)
    return row


_LEAVES: list[tuple[Any, Kind]] = [
    (Str, Kind("text", as_text)),
    (Money, Kind("money", as_decimal(MONEY_PLACES), MONEY_PLACES)),
    (UnitPrice, Kind("price", as_decimal(PRICE_PLACES), PRICE_PLACES)),
    (Quantity, Kind("qty", as_decimal(QTY_PLACES), QTY_PLACES)),
    (Rate, Kind("rate", as_decimal(2), 2)),
    (Moment, Kind("moment", as_moment)),
    (bool, Kind("flag", as_flag)),
    (int, Kind("whole", as_whole)),
    (list[Str], Kind("texts", as_texts, plural=True)),
    (dict[str, Str], Kind("words", as_words)),
]


def kind_of(annotation: Any) -> Kind:
    """The type of a model's field. A type that the lens has no converter for fails here, when the hub starts."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    for known, kind in _LEAVES:
        if annotation is known or annotation == known:
            return kind
    if get_origin(annotation) is list:
        (model,) = get_args(annotation)
        if isinstance(model, type) and issubclass(model, BaseModel):
            return _row_kind(model)
    raise TypeError(f"the lens has no converter for {annotation!r}")


def _row_kind(model: type[BaseModel]) -> Kind:
    types = {name: kind_of(_annotation(model, name)) for name in model.model_fields}
    needed = frozenset(name for name, info in model.model_fields.items() if info.is_required())
    filled = frozenset(name for name in types if type(None) not in get_args(_annotation(model, name))) - needed
    return Kind("rows", _rows(types, needed, filled), None, True, types, needed, filled, model is DealLine)


def _annotation(model: type[BaseModel], name: str) -> Any:
    """The annotation with its metadata: pydantic takes it apart into `annotation` and `metadata`."""
    info = model.model_fields[name]
    if not info.metadata:
        return info.annotation
    for known, _ in _LEAVES:
        if getattr(known, "__metadata__", None) == tuple(info.metadata) and known.__origin__ is info.annotation:
            return known
    raise TypeError(f"the lens has no converter for {model.__name__}.{name}")


@cache
def kinds_of(model: type[BaseModel]) -> dict[str, Kind]:
    return {name: kind_of(_annotation(model, name)) for name in model.model_fields}


FIELDS: dict[str, dict[str, Kind]] = {name: kinds_of(model) for name, model in KINDS.items()}
NEEDED: dict[str, frozenset[str]] = {
    name: frozenset(field for field, info in model.model_fields.items() if info.is_required())
    for name, model in KINDS.items()
}
EVENT_FIELDS: dict[str, Kind] = kinds_of(Activity)
CLIENT_KINDS: dict[str, Kind] = {
    name: Kind("texts", as_texts, plural=True)
    if name in ("phones", "emails")
    else Kind("text", as_client_texts, plural=True)
    for name in CLIENT_FIELDS
}


def same(one: Any, other: Any) -> bool:
    """Canonical equality: the ways of having nothing (None, no items) are one."""
    return one is not UNKNOWN and other is not UNKNOWN and (one == other or (not_filled(one) and not_filled(other)))


def not_filled(value: Any) -> bool:
    """None, a blank text, no items."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, list | dict) and not value)
