"""What the conformance suite works with: hostile arrivals, a context without a hub, and assertions on what adapters give."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from adapters.base import AdapterContext, Arrival, Record, SverkaError, Text

NASTIES: tuple[bytes, ...] = (
    b"",
    b" \r\n",
    b"\x00" * 64,
    b"\xff\xfe\x00\xd8",
    b"\xef\xbb\xbf",
    b"test",
    b"=&=&==&&",
    b"%",
    b"a=%zz&%98=%98",
    b"Name=%C8%E2%E0%ED&Phone=1",  # windows-1251
    b"Name=%D0%98%D0",  # half a letter
    "Имя=Ёж🦔&Phone=+7".encode(),
    b"&".join(b"a%d=1" % n for n in range(5000)),
    b"payment[a]=1&payment[a][b]=2&payment[=3&payment[]=4&payment[[[]]]=5",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"[1, null, {}, [], {}]",
    b'{"a": NaN}',
    b'{"a": 1e999999999, "duration": 1e999999999, "type": "call"}',
    b'{"id": ' + b"9" * 6000 + b"}",
    b'{"type": {"a": 1}, "id": ["x"], "at": 5, "fields": 7, "Name": "\\ud800\\u0000"}',
    b"[" * 100_000,
    b'{"a":' * 2000,
    b"<html><body>502 Bad Gateway</body></html>",
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
    b"PK\x03\x04\x14\x00\x00\x00",
    b"\x1f\x8b\x08\x00\x00",
    b'--x\r\nContent-Disposition: form-data; name="Name"\r\n\r\nAn',
    b"--x\r\n\r\n\r\n--x--\r\n",
    b"x" * 300_000,
    b"a=" + b"x" * (1 << 20),
)
CONTENT_TYPES = (
    "",
    "application/x-www-form-urlencoded",
    "application/json; charset=base64",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    'text/plain; charset="é\ud800',
)


class KitLimiter:
    """Counts instead of waiting."""

    def __init__(self) -> None:
        self.waits = 0
        self.penalties: list[float] = []

    def wait(self) -> None:
        self.waits += 1

    def penalty(self, seconds: float) -> None:
        self.penalties.append(seconds)


def kit_context(connection: str = "kit", now: datetime = datetime(2026, 3, 1, 9, tzinfo=UTC)) -> AdapterContext:
    """A context with a counting limiter and a clock that stands still."""
    return AdapterContext(connection, KitLimiter(), lambda: now, logging.getLogger("kit"))


def arrival(body: bytes, content_type: str = "", **more: Any) -> Arrival:
    """An arrival over some bytes; `more` as in Arrival, header names in lower case."""
    headers = {"content-type": content_type, **more.pop("headers", {})}
    more.setdefault("at", datetime(2026, 3, 1, 9, tzinfo=UTC))
    return Arrival(more.pop("name", "kit"), headers=headers, size=len(body), open=lambda: BytesIO(body), **more)


def nasty_arrivals() -> Iterator[Arrival]:
    """What a public address gets besides what it is for."""
    for body in NASTIES:
        for content_type in CONTENT_TYPES:
            yield arrival(body, content_type)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "BREW"):
        yield arrival(b"", method=method, headers={"origin": "null", "accept": "text/html", "referer": "http://[x"})


def assert_json_like(value: Any, path: str = "data") -> None:
    """Only what every store and every mapping can take: never a float, a datetime, a NUL or half a surrogate pair."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str), f"{path}: the key {key!r} is not text"
            assert_json_like(key, f"{path}: the key {key[:40]!r}")
            assert_json_like(item, f"{path}.{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            assert_json_like(item, f"{path}[{position}]")
    elif isinstance(value, str):
        assert "\x00" not in value, f"{path} holds a NUL"
        assert value.encode("utf-8", "replace").decode() == value, f"{path} holds half a surrogate pair"
    elif isinstance(value, Decimal):
        assert value.is_finite(), f"{path} is {value}"
    else:
        assert value is None or isinstance(value, int), f"{path} is {type(value).__name__}, not JSON-like"


def stable_hash(record: Record) -> str:
    """Equal for equal records, whatever the order of their keys."""
    whole = [record.kind, record.id, record.data, record.version, record.deleted, record.raw.hex()]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def assert_record(record: Record) -> None:
    for name in ("kind", "id", "version"):
        assert isinstance(getattr(record, name), str), f"{name} of {record.kind} {record.id} is not text"
    assert record.id, f"a {record.kind} without an id"
    assert record.kind, f"record {record.id} without a kind"
    assert_json_like([record.id, record.version], "id, version")
    assert_json_like(record.data, f"{record.kind} {record.id}")


def assert_text(text: Text | None, about: str) -> None:
    """Both languages are there, and the Russian one is Russian."""
    assert text is not None, f"{about}: no text"
    assert text.en.strip(), f"{about}: no English text"
    assert re.search("[а-яё]", text.ru, re.IGNORECASE), f"{about}: no Russian text ({text.ru!r})"


def assert_error(error: SverkaError, secrets: Iterable[str] = ()) -> None:
    """A cause by which errors are grouped, texts in both languages, no secret in them."""
    assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", error.code), f"the code {error.code!r} is not like shop.auth"
    for text in filter(None, (error.text, error.remedy)):
        assert_text(text, error.code)
        for secret in secrets:
            assert secret not in text.en + text.ru, f"{error.code}: a secret stands in the error's text"


def holds(given: Any, after: Any) -> bool:
    """Whether a record has everything that was given; numbers compare by value, objects by the given keys."""
    if isinstance(given, dict):
        return isinstance(after, dict) and all(holds(value, after.get(key)) for key, value in given.items())
    if isinstance(given, list):
        same = isinstance(after, list) and len(given) == len(after)
        return same and all(holds(one, other) for one, other in zip(given, after, strict=True))
    if isinstance(given, Decimal) and isinstance(after, str | int | Decimal):
        return given == Decimal(after)
    return bool(given == after)
