"""What must not be stored with an arrival: the connection's own secrets, wherever in the request they came."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr

MASK = "***"
LONG = 6  # a shorter secret is masked only where it is a whole value: inside other text it would hit ordinary words
_ORDINARY = 64  # characters of a name
_SECRET_WORDS = frozenset(
    ("key", "apikey", "secret", "token", "password", "passwd", "pass", "pwd", "auth", "authorization", "sid", "session")
)
# A header is stored when it says what the message is, never when it could say who may send it
_HEADERS = frozenset(
    ("content-type", "content-encoding", "content-length", "user-agent", "origin", "referer", "accept-language", "date")
)
_TELLING = frozenset(
    ("topic", "resource", "event", "type", "action", "signature", "sha256", "sha1", "id", "source", "domain", "version",
     "timestamp", "at", "delivery", "attempt", "retry", "num")
)  # fmt: skip


class Secrets:
    """The secrets of one connection."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted({v for v in values if v}, key=len, reverse=True)
        self._encoded = [
            form.encode()
            for secret in self._values
            if len(secret) >= LONG
            for form in sorted({secret, quote(secret, safe=""), quote_plus(secret)})
        ]

    @classmethod
    def of(cls, settings: BaseModel | None, raw: Mapping[str, Any]) -> Secrets:
        """From an adapter's settings, or from the bare configuration where there is no adapter."""
        return cls([*(_of_model(settings) if settings is not None else ()), *_of_table(raw)])

    def text(self, value: str) -> str:
        """`value` with every secret in it masked."""
        for secret in self._values:
            if value == secret:
                return MASK
            if len(secret) >= LONG:
                value = value.replace(secret, MASK)
        return value

    def path(self, value: str) -> str:
        return "/".join(self.text(part) for part in value.split("/"))

    def query(self, pairs: Mapping[str, str]) -> dict[str, str]:
        return {name: MASK if _named(name)[0] else self.text(value) for name, value in pairs.items()}

    def headers(self, pairs: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(value) for name, value in pairs.items() if _named(name)[1]}

    def body(self, raw: bytes) -> bytes:
        """The body as it came; only a secret of ours in it is masked, plain or percent-encoded."""
        for form in self._encoded:
            raw = raw.replace(form, MASK.encode())
        return raw


def _named(name: str) -> tuple[bool, bool]:
    """(is a secret by its name, may be stored as a header). Names of ordinary length are judged once."""
    return _judged(name) if len(name) <= _ORDINARY else (_is_secret_name(name), _storable(name))


@functools.lru_cache(maxsize=1024)
def _judged(name: str) -> tuple[bool, bool]:
    return _is_secret_name(name), _storable(name)


def _is_secret_name(name: str) -> bool:
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return not _SECRET_WORDS.isdisjoint(words)


def _storable(name: str) -> bool:
    if name in _HEADERS:
        return True
    if _is_secret_name(name) or not (name.startswith(("x-", "webhook-")) or name.endswith("-signature")):
        return False
    return name.rsplit("-", 1)[-1] in _TELLING


def _of_model(value: Any) -> Iterator[str]:
    """Every SecretStr in a settings model, at any depth."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _of_model(getattr(value, name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _of_model(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _of_model(one)


def _of_table(raw: Mapping[str, Any]) -> Iterator[str]:
    for name, value in raw.items():
        if isinstance(value, Mapping):
            yield from _of_table(value)
        elif isinstance(value, str) and _is_secret_name(name):
            yield value
