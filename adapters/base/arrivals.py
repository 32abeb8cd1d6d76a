"""What comes by push or as a file, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import IO

from sync.errors import Text


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came by push or was collected: bytes as they came. Large bodies lie in the spool and are only streamed."""

    name: str  # file name, or the path after /in/<connection>
    method: str = "POST"  # "" for a file that nobody posted
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    remote: str = ""  # the sender's address
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # when it was received, by the hub's clock
    size: int = 0
    open: Callable[[], IO[bytes]] = field(default=BytesIO, repr=False)  # a new stream from the start at each call

    def read(self) -> bytes:
        with self.open() as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of an adapter."""

    body: bytes = b"ok"
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reception:
    """The quick look at an arrival, before it is stored and answered. Must not raise on any bytes and must not be slow."""

    reply: Reply = field(default_factory=Reply)
    key: str = ""  # the sender's own id of this message (tranid, delivery id); "" lets the hub use the body's hash
    # "": process. "ping", "test": nothing to make. "spam", "unsigned", "broken", "oversized": keep and show
    label: str = ""
    reason: Text | None = None  # why it was labelled
    stored: bytes | None = None  # the body to store instead of the raw one, where the raw one carries others' secrets
