"""Fixtures that every test may use, and what a skip means."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.databases"]

# How long an example took says something of the machine only, which others may be using
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A body of bytes is no name: one that holds a time (a zip does) is called otherwise by each process that collects."""
    return argname if isinstance(val, bytes) and len(val) > 30 else None


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: some tests wait for a clock or a server."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: the search for garbage need not go through them again and again."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str, str, int], None]:
    """`tell(group, name, number)`: a count that the end of the run prints, summed by group, whichever process ran the test."""
    return lambda group, name, number: record_property("told", (group, name, number))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told: dict[str, dict[str, int]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for key, value in report.user_properties:
            if key == "told":
                group, name, number = value
                numbers = told.setdefault(group, {})
                numbers[name] = numbers.get(name, 0) + number
    for group, numbers in told.items():
        each = ", ".join(f"{name} {number}" for name, number in numbers.items())
        terminalreporter.write_line(f"{group}: {each}, total {sum(numbers.values())}")
