"""Values as JSON in the form in which they are stored, compared and printed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from sync.model.types import iso


def _fallback(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def dumps(value: Any) -> str:
    """JSON with sorted keys; Decimal and datetime as text. Equal values give equal text."""
    return orjson.dumps(value, _fallback, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME).decode()


def dump_bytes(value: Any) -> bytes:
    return orjson.dumps(value, _fallback, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def dump_buffer(value: Any) -> bytearray:
    """The same for driver-level statements: Python's SQLite looks twice for a way to store each `bytes` or None, a microsecond
    each, and takes a bytearray as it is."""
    return bytearray(dump_bytes(value))


# orjson.dumps(value, None, PLAIN) is the same of what JSON itself holds, so that it reads back as it was; TypeError for
# anything else
PLAIN = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


loads = orjson.loads
