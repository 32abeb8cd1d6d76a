"""Answers that adapters give, made fit for HTTP, and a log line for what nobody expected."""

from __future__ import annotations

import functools
import traceback

from starlette.responses import PlainTextResponse, Response

from adapters.base import Reply
from sync.log import Logger

_log = Logger("sverka.web")
_OURS = frozenset(("content-length", "transfer-encoding", "connection", "content-type"))


def of_reply(reply: Reply) -> Response:
    """The adapter's answer as it stands; a header that could not be sent is left out and logged."""
    headers, left_out = _fit(reply.content_type, tuple(reply.headers.items()))
    for name in left_out:
        _log.warning("an adapter's header was left out", header=name[:40].encode("ascii", "replace").decode())
    status = reply.status if 200 <= reply.status <= 599 else 200
    return Response(reply.body, status, headers)


@functools.lru_cache(maxsize=64)
def _fit(content_type: str, given: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], list[str]]:
    """The headers to send, and the names of those that cannot be. An adapter's answers are much the same each time."""
    headers = {"content-type": content_type if _sendable("x", content_type) else "text/plain"}
    left_out = []
    for name, value in given:
        if name.lower() in _OURS or not _sendable(name, value):
            left_out.append(name)
        else:
            headers[name] = value
    return headers, left_out


def words(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers)


def failure(text: str) -> Response:
    """What a protocol's client logs: the word, and one line of reason, with status 200."""
    return PlainTextResponse(f"failure\n{' '.join(text.split())}")


def unexpected(where: str, error: BaseException) -> None:
    """Log the place of a fault. Its message is left out: it may quote a client's data."""
    _log.error(
        "unexpected", where=where, error=type(error).__name__, frames="".join(traceback.format_tb(error.__traceback__))
    )


def _sendable(name: str, value: str) -> bool:
    """Printable Latin-1 in one line; a colon or blank in the name would make another header."""
    plain = name.isascii() and name.isprintable() and name and not any(c in " :" for c in name)
    return bool(plain) and all(c == "\t" or "\x20" <= c <= "\x7e" or "\xa0" <= c <= "\xff" for c in value)
