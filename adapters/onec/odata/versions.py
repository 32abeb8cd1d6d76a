"""What has changed where no exchange plan says it: keys with their DataVersion are listed and compared with the last listing.

A map of every key would be megabytes in the cursor. Keys are put into 4096 buckets by their first digits, and of each bucket
a digest is kept; where it differs, the objects of that bucket are read whole. That are all that changed, were added or came
back, and few others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

_DIGITS = 3
_BYTES = 5


class Versions:
    """One listing. `add` each key with what stands for its content; `changed` against the digests of the last one."""

    def __init__(self) -> None:
        self._sums: dict[str, int] = defaultdict(int)
        self._keys: dict[str, list[str]] = defaultdict(list)
        self.total = 0

    def add(self, key: str, *version: object) -> None:
        bucket = key[:_DIGITS].lower()
        said = hashlib.blake2b("\x00".join([key, *map(str, version)]).encode(), digest_size=_BYTES).digest()
        self._sums[bucket] += int.from_bytes(said)  # a sum does not mind the order, in which 1C's differs from ours
        self._keys[bucket].append(key)
        self.total += 1

    @property
    def digests(self) -> dict[str, str]:
        return {bucket: f"{value % (1 << 8 * _BYTES):x}" for bucket, value in sorted(self._sums.items())}

    def changed(self, before: dict[str, str]) -> list[str]:
        """The keys of the buckets that are not as they were."""
        moved: Iterable[str] = (bucket for bucket, said in self.digests.items() if before.get(bucket) != said)
        return sorted(key for bucket in moved for key in self._keys[bucket])
