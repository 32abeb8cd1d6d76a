"""A hub's kit and an empty store on both databases, which the session's tests share and each finds emptied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.store import Store
from tests.spec.hubs import BOTH, Kit, open_kit, shared_store


@pytest.fixture(params=BOTH)
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = shared_store(request)
    yield opened
    opened.close()
