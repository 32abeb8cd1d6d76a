"""Fixtures that every test may use, and what a skip means."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.databases"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required a skip is a failure, whoever made it; only the shared data may be absent."""
    report = yield
    if report.skipped and os.environ.get("SVERKA_REQUIRE_ALL") == "1" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "shared data: absent" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped although everything is required (SVERKA_REQUIRE_ALL=1): {reason}"
    return report
