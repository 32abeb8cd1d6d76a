"""How much one answer of the web services may unpack to: it is held in memory, and a few megabytes of gzip make gigabytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

MAX_ANSWER = 1024**3  # bytes after unpacking: a million goods and more
MAX_RATIO = 200  # CommerceML packs 20 to 50 times; a bomb a thousand times
RATIO_FREE = 20 * 1024**2  # below this size the ratio is not looked at


class TooLarge(Exception):
    """An answer is more than it may be; nothing of it is kept."""


def bounded(response: requests.Response, *_: Any, **__: Any) -> None:
    """A hook of a session, called before an answer's body is read: from there on it is counted while it is unpacked."""
    response.raw = _Counted(response.raw)


class _Counted:
    """The raw answer of urllib3, whose unpacked bytes are counted against those that came over the wire."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        size = 0
        for part in self._raw.stream(*args, **kwargs):
            size += len(part)
            if size > MAX_ANSWER or (size > RATIO_FREE and size > MAX_RATIO * max(self._raw.tell(), 1)):
                self._raw.close()
                raise TooLarge
            yield part
