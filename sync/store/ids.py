"""Identifiers made by the hub: UUID version 7 (RFC 9562), so that rows made later sort later."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_uid() -> str:
    """A UUIDv7 as 36 characters; strictly increasing within one process."""
    global _last
    with _lock:
        # 60 bits: milliseconds and 12 bits of their fraction, never the same twice
        stamp = max(_last + 1, (time.time_ns() << 12) // 1_000_000)
        _last = stamp
    number = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62
    return str(uuid.UUID(int=number | int.from_bytes(os.urandom(8)) >> 2))
