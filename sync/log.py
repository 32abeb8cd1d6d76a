"""Logging: structured, to stderr, with secrets and personal data taken out before anything is written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

_SECRET_NAMES = re.compile(r"pass|secret|token|key|authorization|cookie|signature", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PHONE = re.compile(r"(?<![\w.-])(?:\+\d(?:[\s()\-]*\d){7,14}|[78](?:[\s()\-]*\d){10})(?![\w])")
_QUERY_SECRET = re.compile(r"((?:[\w-]*(?:key|secret|token|password|signature)|oauth_\w+))=[^&\s]+", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"""(["']?[\w-]*(?:pass|secret|token|authorization|cookie|signature|api[_-]?key)[\w-]*["']?\s*:\s*)"""
    r"""("[^"]*"|'[^']*'|(?:(?:Basic|Bearer)\s+)?[^\s,;}\])]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Basic|Bearer)\s+[\w.~+/=-]+", re.IGNORECASE)
_LOGIN = re.compile(r"(://)[^/\s@]+@")
_PLAIN = frozenset({"event", "level", "logger", "timestamp", "connection", "code", "key_of_work"})


def redact(value: Any, name: str = "") -> Any:
    """The value without secrets, mail addresses and phone numbers. Whatever is no plain value is shown as redacted text."""
    if _SECRET_NAMES.search(name) and name not in _PLAIN:
        return "***"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float | Decimal | datetime):
        return value
    if isinstance(value, Mapping):
        return {_text(k) if isinstance(k, str) else k: redact(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(v) for v in value]
    if isinstance(value, bytes | bytearray):
        return f"({len(value)} bytes)"
    return _text(str(value))


def _text(text: str) -> str:
    text = _NAMED_SECRET.sub(r"\1***", _QUERY_SECRET.sub(r"\1=***", _LOGIN.sub(r"\1***@", text)))
    return _PHONE.sub("+***", _EMAIL.sub("***@***", _BEARER.sub(r"\1 ***", text)))


def _redacting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {k: redact(v, k) for k, v in event.items()}


class _Redacted(logging.Filter):
    """The same for libraries that log through the standard library, their tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:  # the formatter takes this instead of the traceback
            record.exc_text = _text(record.exc_text)
        if record.stack_info:
            record.stack_info = _text(record.stack_info)
        return True


def configure(level: int = logging.INFO) -> None:
    """Set logging up for a command; libraries are only heard from a warning on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Redacted())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sverka").setLevel(level)
    _configured.update(level=level)
    _structured.cache_clear()


_configured: dict[str, int] = {}  # the level, once `configure` has said it


@cache
def _structured() -> Any:
    """structlog, set up as `configure` wants it. Most commands log nothing, and it takes its time to import."""
    import structlog

    if _configured:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                _redacting,
                structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_configured["level"]),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    return structlog


class Logger:
    """A structured logger that is made when there is something to say."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        return getattr(_structured().get_logger(self._name), method)
