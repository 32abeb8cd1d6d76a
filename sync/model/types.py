"""The value types of the canonical model. Money is Decimal, times are aware UTC, texts are trimmed and NFC.

In JSON (storage, the API) a Decimal is a string of digits and a time is ISO 8601 with `Z`, so nothing is ever rounded.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

MONEY_PLACES, PRICE_PLACES, QTY_PLACES = 2, 6, 3


def decimal_of(value: Any, places: int | None = None) -> Decimal:
    """A Decimal from text, int or Decimal, rounded half up to `places`; ValueError for floats, NaN and anything else.

    >>> decimal_of("1 234,5", 2)
    Decimal('1234.50')
    """
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is not a decimal text")
    if isinstance(value, str):
        value = value.replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace(",", ".")
    try:
        number = Decimal(value)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(f"{value!r} is not a number") from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 13:
        raise ValueError(f"{value!r} is not a usable number")
    return number if places is None else number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def plain(value: Decimal) -> str:
    """The shortest usual text of a number: no exponent, no superfluous zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def text_of(value: Any) -> str:
    """Trimmed and NFC; control characters other than line breaks and tabs are dropped."""
    text = unicodedata.normalize("NFC", value if isinstance(value, str) else str(value))
    if not text.isprintable():
        text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return text.strip()


def utc(value: Any) -> datetime:
    """An aware UTC time from an aware datetime or ISO text with a zone; ValueError without a zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment.astimezone(UTC)


def iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _scaled(places: int) -> Any:
    return Annotated[
        Decimal,
        BeforeValidator(lambda value: decimal_of(value, places)),
        PlainSerializer(str, when_used="json"),
    ]


Money = _scaled(MONEY_PLACES)  # sums; the currency stands beside it
UnitPrice = _scaled(PRICE_PLACES)
Quantity = _scaled(QTY_PLACES)
Rate = _scaled(2)  # percent: VAT 20.00
Moment = Annotated[datetime, BeforeValidator(utc), PlainSerializer(iso, when_used="json")]
Str = Annotated[str, BeforeValidator(text_of)]
