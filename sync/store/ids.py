"""Identifiers made by the hub: UUID version 7 (RFC 9562), so that rows made later sort later."""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_uid() -> str:
    """A UUIDv7 as 36 characters; strictly increasing within one process."""
    return new_uids(1)[0]


def new_uids(count: int) -> list[str]:
    """So many at once, in their order."""
    global _last
    with _lock:
        # 60 bits: milliseconds and 12 bits of their fraction, never the same twice
        first = max(_last + 1, (time.time_ns() << 12) // 1_000_000)
        _last = first + count - 1
    noise = os.urandom(8 * count).hex()
    made = []
    for at in range(count):
        time_part, random_part = f"{first + at:015x}", noise[16 * at : 16 * at + 16]
        variant = "89ab"[int(random_part[0], 16) & 3]
        made.append(
            f"{time_part[:8]}-{time_part[8:12]}-7{time_part[12:]}-{variant}{random_part[1:4]}-{random_part[4:]}"
        )
    return made
