"""When two canonical values are the same: money by amount, phones by canonical form, lists as sets, rows by key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.model.keys import email, phone
from sync.model.types import text_of

_SETS = frozenset({"tags", "barcodes", "addresses"})


def same(field: str, a: Any, b: Any) -> bool:
    """Whether two values of one field mean the same. None and an empty text, list or table are all "empty"."""
    if a is b or a == b:
        return True
    return bool(normal(field, a) == normal(field, b))


def normal(field: str, value: Any) -> Any:
    """The comparable form of a value."""
    if value is None or value in ("", [], {}):
        return None
    if field == "phones":
        return frozenset(phone(v) or v for v in value)
    if field == "emails":
        return frozenset(email(v) or v for v in value)
    if field in _SETS:
        return frozenset(value)
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {row.get("key", i): _row(row) for i, row in enumerate(value)}
    if isinstance(value, dict):
        return _row(value)
    return value


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {k: normal(k, v) for k, v in row.items() if normal(k, v) is not None}
