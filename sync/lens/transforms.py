"""The closed list of transforms of the mapping language.

Each is a pair: `forward` reads a native value (never None, UNKNOWN or ""), `back` writes the canonical one, seeing the old
native value so that it can keep its shape. Without `back` a transform is read only. Nothing here raises anything but Bad.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sync.errors import Text
from sync.lens import times, values
from sync.lens.problems import UNKNOWN, Bad
from sync.model.types import plain

Forward = Callable[[Any], Any]
Back = Callable[[Any, Any], Any]  # (canonical value, old native value or UNKNOWN) -> native value

EACH, WHOLE = "each", "whole"

CANNOT = Text("This value cannot be written in that form.", "Это значение нельзя записать в таком виде.")
TOO_PRECISE = Text("The number has more digits after the point.", "У числа больше знаков после запятой.")
TOO_LONG = Text("The text is longer than the other side takes.", "Текст длиннее, чем принимает другая сторона.")
NO_WORD = Text(
    "The table of the mapping does not have this word. Add it to the table.",
    "В таблице сопоставления нет этого слова. Добавьте его в таблицу.",
)


@dataclass(frozen=True, slots=True)
class Table:
    """Native words with their canonical values; "*" stands for every other word."""

    name: str
    words: Mapping[str, Any]

    def forward(self, word: Any) -> Any:
        if word is UNKNOWN:
            return UNKNOWN
        key = _word(word)
        value = self.words.get(key, UNKNOWN)
        if value is UNKNOWN:
            value = self.words.get("*", UNKNOWN) if key else None
        if value is UNKNOWN:
            raise Bad(NO_WORD, word)
        return value

    def back(self, value: Any, old: Any) -> Any:
        words = [w for w, image in self.words.items() if w != "*" and type(image) is type(value) and image == value]
        if not words:
            raise Bad(NO_WORD, value)
        return next(filter(None, words), "")  # the first word of the file is the way back


@dataclass(frozen=True, slots=True)
class Step:
    """A transform with its argument, compiled. `mode` WHOLE takes a list as it is, EACH its items one by one; `fills`
    is for those that have something to say about None and UNKNOWN."""

    name: str
    arg: str
    forward: Forward
    back: Back | None = None
    mode: str = EACH
    fills: bool = False
    table: Table | None = None


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return values.as_text(value) or ""


def _keep(value: Any, old: Any) -> Any:
    return value


def _only_if(forward: Forward) -> Back:
    """The way back of a transform that only narrows: what it would leave alone can be written as it is."""

    def back(value: Any, old: Any) -> Any:
        if forward(value) != value:
            raise Bad(CANNOT, value)
        return value

    return back


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return times.written(value, UNKNOWN, None)
    return values.as_text(value)


def _of_text(change: Callable[[str], str]) -> Forward:
    def forward(value: Any) -> Any:
        text = values.as_text(value)
        return None if text is None else change(text) or None

    return forward


def _rounded(places: int) -> tuple[Forward, Back]:
    def back(value: Any, old: Any) -> Any:
        number = values.to_decimal(value, None)
        if number != number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):
            raise Bad(TOO_PRECISE, value)
        return number.quantize(Decimal(1).scaleb(-places))

    return values.as_decimal(places), back


def _shortest(back: Back) -> Back:
    return lambda value, old: Decimal(plain(back(value, old)))


def _any_decimal(value: Any) -> Any:
    """All digits, at most 12 after the point (an exponent could stand for billions of them)."""
    number = values.to_decimal(value, None)
    places = number.as_tuple().exponent
    return (
        number.quantize(Decimal(1).scaleb(-12), ROUND_HALF_UP) if isinstance(places, int) and places < -12 else number
    )


def _not(value: Any) -> Any:
    flag = values.as_flag(value)
    return None if flag is None else not flag


def _abs_back(value: Any, old: Any) -> Any:
    number = values.to_decimal(value, None)
    if number < 0:
        raise Bad(CANNOT, value)
    try:
        negative = old is not UNKNOWN and old is not None and values.to_decimal(old, None) < 0
    except Bad:
        negative = False
    return -number if negative else number


def _negated(value: Any) -> Any:
    number = values.to_decimal(value, None)
    return -number if number else number


def _epoch(value: Any) -> Any:
    """Seconds since 1970; 0 is the usual way of saying "never"."""
    seconds = values.as_whole(value)
    if seconds is None or seconds == 0:
        return None
    if not 0 < seconds < 253_402_300_800:
        raise Bad(times.OUT_OF_RANGE, value)
    return datetime.fromtimestamp(seconds, UTC)


def _epoch_back(value: Any, old: Any) -> Any:
    moment = times.to_utc(value, None)
    if moment is None or moment.microsecond:
        raise Bad(CANNOT, value)
    return int(moment.timestamp())


def _plain(value: Any) -> Any:
    return plain(_any_decimal(value))


def _first(value: Any) -> Any:
    return _end(value, 0)


def _last(value: Any) -> Any:
    return _end(value, -1)


def _end(value: Any, at: int) -> Any:
    if not isinstance(value, list):
        return value
    filled = [item for item in value if not values.not_filled(item)]
    return filled[at] if filled else None


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _list_back(value: Any, old: Any) -> Any:
    if isinstance(old, list) or not isinstance(value, list):
        return value
    if len(value) > 1:
        raise Bad(Text("Only one value fits there.", "Туда помещается только одно значение."), value)
    return value[0] if value else None


def _make_split(sep: str) -> tuple[Forward, Back]:
    def forward(value: Any) -> Any:
        texts = values.as_texts(value)
        return [part.strip() for text in texts for part in text.split(sep) if part.strip()]

    def back(value: Any, old: Any) -> Any:
        parts = value if isinstance(value, list) else [value]
        if any(not isinstance(part, str) or sep in part for part in parts):
            raise Bad(CANNOT, value)
        spaced = isinstance(old, str) and f"{sep} " in old
        return (f"{sep} " if spaced or (not isinstance(old, str) and sep in ",;") else sep).join(parts)

    return forward, back


def _make_cut(length: int) -> tuple[Forward, Back]:
    forward = _of_text(lambda text: text[:length].strip())

    def back(value: Any, old: Any) -> Any:
        if forward(value) != value:
            raise Bad(TOO_LONG, value)
        return value

    return forward, back


def _make_prefix(prefix: str) -> tuple[Forward, Back]:
    def back(value: Any, old: Any) -> Any:
        text = values.as_text(value) or ""
        bare = isinstance(old, str) and bool(old) and not old.startswith(prefix) and not text.startswith(prefix)
        return text if bare else prefix + text

    return _of_text(lambda text: text.removeprefix(prefix).strip()), back


def _make_empty(word: str) -> tuple[Forward, Back]:
    def forward(value: Any) -> Any:
        return None if not isinstance(value, bool | dict) and values.as_text(value) == word else value

    return forward, _only_if(forward)


def _make_zone(zone: ZoneInfo) -> tuple[Forward, Back]:
    return lambda value: times.to_utc(value, zone), lambda value, old: times.written(value, old, zone)


def _utc_written(value: Any, old: Any) -> Any:
    return times.written(value, old, UTC)


def _make_date(zone: ZoneInfo) -> tuple[Forward, Back]:
    def back(value: Any, old: Any) -> Any:
        day = times.written_date(value, zone)
        return times.written(value, old, zone) if isinstance(old, str) and old.strip() else day

    return lambda value: times.to_midnight(value, zone), back


def _make_local(zone: ZoneInfo) -> tuple[Forward, Back]:
    return lambda value: times.local_text(value, zone), lambda value, old: times.to_utc(value, zone)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


_upper, _lower, _only_digits = _of_text(str.upper), _of_text(str.lower), _of_text(_digits)
_money, _price, _qty, _rate = _rounded(2), _rounded(6), _rounded(3), _rounded(2)

PLAIN: dict[str, Step] = {
    step.name: step
    for step in (
        Step("text", "", _text, _keep),
        Step("phone", "", values.as_text, _keep),
        Step("email", "", values.as_text, _keep),
        Step("upper", "", _upper, _only_if(_upper)),
        Step("lower", "", _lower, _only_if(_lower)),
        Step("digits", "", _only_digits, _only_if(_only_digits)),
        Step("money", "", *_money),
        Step("price", "", _price[0], _shortest(_price[1])),
        Step("qty", "", _qty[0], _shortest(_qty[1])),
        Step("rate", "", _rate[0], _shortest(_rate[1])),
        Step("decimal", "", _any_decimal, _keep),
        Step("int", "", values.as_whole, lambda value, old: values.as_whole(value)),
        Step("plain", "", _plain, _only_if(_plain)),
        Step("abs", "", lambda value: abs(values.to_decimal(value, None)), _abs_back),
        Step("neg", "", _negated, lambda value, old: _negated(value)),
        Step("bool", "", values.as_flag, _keep),
        Step("not", "", _not, lambda value, old: _not(value)),
        Step("utc", "", lambda value: times.to_utc(value, UTC), _utc_written),
        Step("epoch", "", _epoch, _epoch_back),
        Step("first", "", _first, None, WHOLE),
        Step("last", "", _last, None, WHOLE),
        Step("list", "", _list, _list_back, WHOLE),
    )
}

_BY_ZONE = {"zone": _make_zone, "date": _make_date, "local": _make_local}
WITH_ARGUMENT = frozenset({"lookup", "default", "split", "join", "cut", "strip_prefix", "empty", *_BY_ZONE})
NAMES = frozenset(PLAIN) | WITH_ARGUMENT


class WrongArgument(ValueError):
    """The argument of a transform does not fit; the text says what does."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def make(name: str, arg: str, table: Table | None = None) -> Step:
    """The compiled transform. The caller has checked the name and, for lookup, found the table."""
    if name in PLAIN:
        return PLAIN[name]
    if name == "lookup":
        assert table is not None
        return Step(name, arg, table.forward, table.back, fills="" in table.words, table=table)
    if name == "default":
        return Step(
            name, arg, lambda value: arg if values.not_filled(value) or value is UNKNOWN else value, _keep, WHOLE, True
        )
    if name == "split":
        return Step(name, arg, *_make_split(arg), mode=WHOLE)
    if name == "join":
        return Step(name, arg, lambda value: arg.join(values.as_texts(value)) or None, None, WHOLE)
    if name in ("strip_prefix", "empty"):
        return Step(name, arg, *(_make_prefix if name == "strip_prefix" else _make_empty)(arg))
    if name == "cut":
        if not (arg.isascii() and arg.isdecimal() and 0 < int(arg[:9]) <= 100_000):
            raise WrongArgument(Text("cut(n) takes a length from 1 to 100000.", "cut(n): нужна длина от 1 до 100000."))
        return Step(name, arg, *_make_cut(int(arg)))
    return Step(name, arg, *_BY_ZONE[name](_zone(arg)))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        raise WrongArgument(
            Text(
                f"“{name}” is no time zone. A name like Europe/Moscow or Asia/Yekaterinburg is expected.",
                f"«{name}»: нет такого часового пояса. Нужно имя вроде Europe/Moscow или Asia/Yekaterinburg.",
            )
        ) from None
