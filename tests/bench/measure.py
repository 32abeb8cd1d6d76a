"""Measuring: one child process per measurement, medians with minimum and maximum, ratios, a table."""

from __future__ import annotations

import json
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEAK = 1 << 20 if sys.platform == "darwin" else 1 << 10  # what ru_maxrss counts, per MiB


class Clock:
    """Started in a child process when everything is imported."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def report(self, **more: Any) -> None:
        """The child's last line: what the parent reads."""
        print(
            json.dumps(
                {
                    "seconds": time.perf_counter() - self._wall,
                    "cpu": time.process_time() - self._cpu,
                    "peak_mb": peak_mb(),
                    **more,
                }
            ),
            flush=True,
        )


def peak_mb() -> float:
    """The most memory that this process ever held, in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except OSError:  # not Linux. There ru_maxrss is the process's own; on Linux it begins with the parent's
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / PEAK


def child(module: str, *args: object, limit: float = 1800, python: str = sys.executable) -> dict[str, Any]:
    """Run a module of the benchmark in a process of its own; gives what it reported."""
    done = subprocess.run(
        [python, *command(module, *args)[1:]], cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def command(module: str, *args: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, args)]


@contextmanager
def serving(module: str, *args: object) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server process that prints its port first and ends when its input is closed."""
    with subprocess.Popen(
        command(module, *args), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.strip().isdigit():
                raise RuntimeError(f"{module} did not start")
            yield int(line), process
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Series:
    """One quantity, measured several times."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, digits: int = 0) -> str:
        return f"{self.median:,.{digits}f} ({min(self.values):,.{digits}f} … {max(self.values):,.{digits}f})"

    def as_dict(self) -> dict[str, Any]:
        return {"median": self.median, "min": min(self.values), "max": max(self.values), "values": self.values}


@dataclass
class Gate:
    """One limit that must hold."""

    name: str
    found: float
    limit: float
    at_most: bool = False
    wanted: float | None = None

    @property
    def held(self) -> bool:
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def text(self) -> str:
        sign = "≤" if self.at_most else "≥"
        aim = f", wanted {sign} {self.wanted:g}" if self.wanted is not None else ""
        return f"{'ok  ' if self.held else 'MISS'} {self.name}: {self.found:.3g} ({sign} {self.limit:g}{aim})"

    def as_dict(self) -> dict[str, Any]:
        return {"found": self.found, "limit": self.limit, "at_most": self.at_most, "held": self.held}


@dataclass
class Report:
    """What a benchmark found: rows of the table, and gates."""

    title: str
    rows: list[tuple[str, ...]] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    head: tuple[str, ...] = ()

    def print(self) -> None:
        print(f"\n{self.title}")
        print(table([self.head, *self.rows] if self.head else self.rows))
        for gate in self.gates:
            print(gate.text())
        sys.stdout.flush()

    def as_dict(self) -> dict[str, Any]:
        return {"figures": self.figures, "gates": {g.name: g.as_dict() for g in self.gates}}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned first column, right-aligned others."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []

    def line(row: Sequence[str]) -> str:
        first, *others = zip(row, widths, strict=True)
        return "  ".join(["", first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])

    return "\n".join(line(row) for row in rows)


def key_of(store: sqlite3.Connection, table: str) -> str:
    """The columns of a table's primary key; not every table has rowids."""
    columns = store.execute("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,)).fetchall()
    return ", ".join(f'"{name}"' for (name,) in columns) or "rowid"


def versions() -> dict[str, str]:
    """What was measured on and with."""
    found = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    for name in ("httpx", "orjson", "SQLAlchemy", "starlette", "uvicorn", "lxml", "dlt", "singer-sdk"):
        with suppress(metadata.PackageNotFoundError):  # the peers need not be installed
            found[name.lower()] = metadata.version(name)
    return found
