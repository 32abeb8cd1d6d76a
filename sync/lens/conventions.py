"""Writing canonical values in the convention of the native value that stands there."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sync.lens import times, values
from sync.lens.problems import UNKNOWN, Bad
from sync.model.types import MONEY_PLACES, plain

_OPPOSITE = {word: other for pair in values.WORD_PAIRS for word, other in (pair, pair[::-1])}


def native_of(value: Any, old: Any) -> Any:
    """The native value for a canonical one, in the convention of the value that stands there: digits as number or text,
    yes/no words, the empty word. Money (a number with two places) keeps them, other numbers are as short as they can be."""
    if value is None:
        return "" if isinstance(old, str) else [] if isinstance(old, list) else None
    if isinstance(value, bool):
        return _flag_like(value, old)
    if isinstance(value, Decimal | int):
        return _number_like(value, old)
    if isinstance(value, str):
        if type(old) is int and value.isascii() and len(value) <= 60 and value.lstrip("-").isdecimal():
            return int(value) if str(int(value)) == value else value
        return value
    if isinstance(value, datetime):
        return times.written(value, old, None)
    if isinstance(value, list):
        example = old[0] if isinstance(old, list) and old and not isinstance(old[0], dict) else UNKNOWN
        return [native_of(item, example) for item in value]
    if isinstance(value, dict):
        olds = old if isinstance(old, dict) else {}
        return {name: native_of(item, olds.get(name, UNKNOWN)) for name, item in value.items()}
    raise Bad(values.NOT_A_TEXT, value)


def _flag_like(value: bool, old: Any) -> Any:
    if type(old) is int:
        return int(value)
    word = old.strip() if isinstance(old, str) else ""
    lower = word.lower()
    if lower not in values.WORDS:
        return value
    new = lower if values.WORDS[lower] is value else _OPPOSITE[lower]
    return new.upper() if word.isupper() else new.capitalize() if word.istitle() else new


def _number_like(value: Decimal | int, old: Any) -> Any:
    if isinstance(value, int):
        return str(value) if isinstance(old, str) else value
    if type(old) is int and value == value.to_integral_value():
        return int(value)
    if type(old) in (int, Decimal):
        return value
    return format(value, "f") if value.as_tuple().exponent == -MONEY_PLACES else plain(value)
