"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from sync.model.json import PLAIN, dump_buffer, dump_bytes, dumps, loads
from sync.model.types import MONEY_PLACES, PRICE_PLACES, QTY_PLACES, decimal_of

__all__ = [
    "PLAIN",
    "Json",
    "Moment",
    "Scaled",
    "dump_buffer",
    "dump_bytes",
    "dumps",
    "loads",
    "money",
    "quantity",
    "scaled",
    "stamp",
    "unit_price",
]


class Json(TypeDecorator[Any]):
    """A JSON document as text; None stays NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else loads(value)


class Scaled(TypeDecorator[Decimal]):
    """A Decimal as a scaled integer: SQLite's own NUMERIC rounds large sums (…76 came back as …75)."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    def __repr__(self) -> str:
        return f"Scaled({self.places})"

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else scaled(value, self.places)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.places)


def scaled(value: Decimal, places: int) -> int:
    return int(decimal_of(value, places).scaleb(places))


class Moment(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, ISO text with microseconds on SQLite. A naive time is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        plain = DateTime(timezone=True) if dialect.name == "postgresql" else String(32)
        return dialect.type_descriptor(plain)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time must not be stored")
        return value if dialect.name == "postgresql" else stamp(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def stamp(value: datetime) -> str:
    """The text of a time in a fixed width, so that it sorts as time does. Both databases take it as a parameter."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def money() -> Scaled:
    return Scaled(MONEY_PLACES)


def unit_price() -> Scaled:
    return Scaled(PRICE_PLACES)


def quantity() -> Scaled:
    return Scaled(QTY_PLACES)
