"""What a test needs from outside: absent, it is skipped and says so; with SVERKA_REQUIRE_ALL=1 its absence is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def need(program: str) -> str:
    """The path of a program that the test runs (dovecot, postfix, chromium, …)."""
    path = shutil.which(
        program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/lib/postgresql/15/bin"
    )
    if path is None:
        absent(program)
    assert path is not None
    return path


def absent(what: str) -> None:
    """Skip because `what` is not on this machine."""
    if os.environ.get("SVERKA_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is required here (SVERKA_REQUIRE_ALL=1) but absent")
    pytest.skip(f"{what} is absent")


def shared(name: str) -> Path:
    """A file of the shared real data. It may be absent anywhere: own fixtures cover the same branches."""
    path = SHARED / name
    if not path.exists():
        pytest.skip("shared data: absent")
    return path
