"""Deliberate faults in the shipped engine, each of which a named test must find: `python -m tests.spec.mutants [NAME …]`.

Nothing in the checkout is touched: a child is forked that has not imported the hub yet, the one module is compiled from its
changed source at import, and the named test runs there. Killed means that this test fails by an assertion; a child that cannot
be imported, breaks in a fixture or runs out of time kills nothing. Exits with 1 when a mutant survives, is stale, or its test
fails without it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
JOBS = int(os.environ.get("SVERKA_MUTANT_JOBS", "2"))
LONGEST = 240.0  # seconds for one mutant
# what the hub and its tests stand on: imported once, inherited by every child
GROUND = (
    "alembic.command",
    "apscheduler.schedulers.background",
    "httpx",
    "hypothesis.stateful",
    "lxml.etree",
    "orjson",
    "phonenumbers",
    "psycopg",
    "pydantic",
    "pytest",
    "rapidfuzz",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "starlette.applications",
    "stdnum.ru.inn",
    "structlog",
    "typer",
)


class Mutant(NamedTuple):
    name: str  # what is wrong
    rule: str  # the rule or invariant that it breaks
    file: str
    old: str  # stands exactly once in the file
    new: str
    layer: str  # table, laws, crash, machine, named
    test: str  # the smallest test that finds it: a file of tests/spec and a test in it


@dataclass
class Result:
    mutant: str
    killed: bool
    text: str
    seconds: float


class Stale(Exception):
    """The code has changed: the mutant's old text is not there, or not only once."""


def patched(mutant: Mutant) -> str:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    found = source.count(mutant.old)
    if found != 1:
        raise Stale(f"the list of mutants is stale: {mutant.name!r}: its text stands {found} times in {mutant.file}")
    changed = source.replace(mutant.old, mutant.new)
    compile(changed, mutant.file, "exec")
    return changed


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Gives the changed source for one module."""

    def __init__(self, file: str, source: str) -> None:
        parts = file.removesuffix(".py").removesuffix("/__init__").split("/")
        self.name, self.path, self.source, self.used = ".".join(parts), str(ROOT / file), source, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        self.used = True
        loader = _Loader(fullname, self.path, self.source)
        package = [str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=loader, submodule_search_locations=package
        )


class Watch:
    """A plug-in of pytest that remembers how the first failure came about."""

    def __init__(self) -> None:
        self.failure: tuple[str, bool, str] | None = None  # (phase, an assertion?, text)
        self.passed = 0

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if call.excinfo is None:
            self.passed += call.when == "call"
        elif self.failure is None:
            import pytest

            error = call.excinfo.value
            said = isinstance(error, AssertionError | pytest.fail.Exception)
            self.failure = (call.when, said, f"{item.nodeid}: {type(error).__name__}: {str(error)[:300]}")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and self.failure is None:
            self.failure = ("collect", False, str(report.longrepr)[-600:])


def _child(tests: Sequence[str], mutant: Mutant | None, answer: Path) -> None:
    """The child's life: import the wrong hub, run the tests, write down what came of it."""
    finder = None
    if mutant is not None:
        finder = Finder(mutant.file, patched(mutant))
        sys.meta_path.insert(0, finder)
    with answer.with_suffix(".out").open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    os.environ["SVERKA_MOST_TOLD"] = "1"  # the first difference is enough
    import pytest

    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="sverka-mutant-") as folder:
        options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "--basetemp", f"{folder}/t"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the ground was imported before pytest began
        pytest.main([*options, *(f"tests/spec/{test}" for test in tests)], plugins=[watch])
    found = {"failure": watch.failure, "passed": watch.passed, "used": finder is None or finder.used}
    answer.write_text(json.dumps(found))


def _judge(mutant: Mutant | None, answer: Path) -> tuple[bool, str]:
    """Whether it was killed, and in which words."""
    if not answer.exists():
        out = answer.with_suffix(".out")
        tail = out.read_bytes()[-600:].decode(errors="replace") if out.exists() else ""
        return False, f"the child broke or took too long: {tail}"
    found = json.loads(answer.read_text())
    if not found["used"]:
        return False, "the test never imported the module"
    if found["failure"] is None and not found["passed"]:
        return False, "no test ran: " + answer.with_suffix(".out").read_bytes()[-600:].decode(errors="replace")
    if found["failure"] is None:
        return False, f"survived {found['passed']} tests"
    phase, said, text = found["failure"]
    return bool(phase == "call" and said), text if phase == "call" else f"{phase}: {text}"


def run(mutants: Iterable[Mutant | Sequence[str]], jobs: int = JOBS) -> Iterator[Result]:
    """Run each in a child of its own, at most `jobs` at once; results as they come. A list of tests instead of a mutant
    runs them on the right hub."""
    waiting, working = list(mutants), dict[int, tuple[Any, Path, float]]()
    with tempfile.TemporaryDirectory(prefix="sverka-mutants-") as folder:
        number = 0
        while waiting or working:
            while waiting and len(working) < jobs:
                one, number = waiting.pop(0), number + 1
                answer = Path(folder, str(number))
                working[_fork(one, answer)] = (one, answer, time.monotonic())
            for pid in list(working):
                one, answer, began = working[pid]
                if os.waitpid(pid, os.WNOHANG)[0]:
                    pass
                elif time.monotonic() - began > LONGEST:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    answer.unlink(missing_ok=True)
                else:
                    continue
                del working[pid]
                mutant = one if isinstance(one, Mutant) else None
                killed, text = _judge(mutant, answer)
                yield Result(mutant.name if mutant else "", killed, text, time.monotonic() - began)
            select.select([], [], [], 0.02)


def _fork(one: Mutant | Sequence[str], answer: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        if isinstance(one, Mutant):
            _child([one.test], one, answer)
        else:
            _child(one, None, answer)
    except BaseException as error:
        with contextlib.suppress(OSError):
            answer.with_suffix(".out").open("a").write(f"\n{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def prepare() -> None:
    """Import the ground; the hub itself must not be there yet."""
    for name in GROUND:
        importlib.import_module(name)
    early = [name for name in sys.modules if name.partition(".")[0] in ("sync", "adapters")]
    if early:
        raise RuntimeError(f"imported too early to be changed: {early[:5]}")


def main(names: Sequence[str]) -> int:
    from tests.spec.mutant_list import MUTANTS

    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    right = "--no-right" not in names
    wanted = [n for n in names if not n.startswith("--")]
    chosen = [m for m in MUTANTS if not wanted or m.name in wanted]
    if strange := set(wanted) - {m.name for m in chosen}:  # none chosen would be every test of the folder
        print(f"no such fault is listed: {', '.join(sorted(strange))}")
        return 2
    stale = 0
    for mutant in chosen:
        try:
            patched(mutant)
        except (Stale, SyntaxError) as error:
            print(f"{mutant.name}: {error}" if isinstance(error, SyntaxError) else error)
            stale += 1
    if stale:
        return 2
    prepare()
    bad = 0
    if right:  # without a fault each named test passes
        for result in run([sorted({m.test for m in chosen})], 1):
            if not result.text.startswith("survived"):
                print(f"the right hub fails: {result.text}")
                return 2
    killed = 0
    for result in run(chosen):
        killed += result.killed
        bad += not result.killed
        mark = "killed  " if result.killed else "SURVIVED"
        print(
            f"{mark} {result.seconds:5.1f} s  {result.mutant}{'' if result.killed else ': ' + result.text}", flush=True
        )
    print(f"killed {killed} of {len(chosen)}")
    return int(bad > 0)


if __name__ == "__main__":  # the list names the classes of the imported module
    from tests.spec import mutants

    sys.exit(mutants.main(sys.argv[1:]))
