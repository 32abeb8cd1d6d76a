"""Other tools at the same import, when they are installed (the optional group `bench`): dlt and the Singer SDK.

python -m tests.bench.peers URL DATABASE dlt|singer        prints seconds and peak memory as JSON
"""

from __future__ import annotations

import importlib.util
from pathlib import Path


def has_dlt() -> bool:
    return importlib.util.find_spec("dlt") is not None


def has_singer() -> bool:
    return importlib.util.find_spec("singer_sdk") is not None


def check_dlt(database: Path, count: int) -> None: ...
def check_singer(database: Path, count: int) -> None: ...
