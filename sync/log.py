"""Logging: structured, to stderr, with secrets and personal data taken out before anything is written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"pass|secret|token|key|authorization|cookie|signature", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PHONE = re.compile(r"(?<!\d)(?:\+|8)[\d\s()\-]{9,18}\d(?!\d)")
_QUERY_SECRET = re.compile(r"((?:consumer_)?(?:key|secret|token|password)|oauth_\w+)=[^&\s]+", re.IGNORECASE)
_PLAIN = frozenset({"event", "level", "logger", "timestamp", "connection", "code", "key_of_work"})


def redact(value: Any, name: str = "") -> Any:
    """The value without secrets, mail addresses and phone numbers."""
    if _SECRET_NAMES.search(name) and name not in _PLAIN:
        return "***"
    if isinstance(value, str):
        return _PHONE.sub("+***", _EMAIL.sub("***@***", _QUERY_SECRET.sub(r"\1=***", value)))
    if isinstance(value, Mapping):
        return {k: redact(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(v) for v in value]
    return value


def _redacting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {k: redact(v, k) for k, v in event.items()}


class _Redacted(logging.Filter):
    """The same for libraries that log through the standard library."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


def configure(level: int = logging.INFO) -> None:
    """Set logging up for a command; libraries are only heard from a warning on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Redacted())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sverka").setLevel(level)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacting,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
