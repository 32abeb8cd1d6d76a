"""Every deliberate fault of tests/spec/mutant_list.py is found by the test that is named for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from tests.spec.mutant_list import MUTANTS
from tests.spec.mutants import ROOT, Mutant, Stale, main, patched

EACH = 5  # mutants that share a process to fork from
PARTS = [MUTANTS[at : at + EACH] for at in range(0, len(MUTANTS), EACH)]
RULES = {f"R{n}" for n in range(6)} | {f"E{n}" for n in range(1, 9)} | {f"I{n}" for n in range(1, 14)}
RULES |= {"manual", "prefer", "join", "union", "rows", "stages", "path", "guard", "facts", "offers"}


def test_the_list_names_every_rule() -> None:
    assert len(MUTANTS) >= 30
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
    named = {word for m in MUTANTS for word in m.rule.split()}
    assert not RULES - named, f"no fault breaks {sorted(RULES - named)}"
    assert {"table", "laws", "crash", "machine", "named"} <= {m.layer for m in MUTANTS}


def test_the_page_names_tests_that_are_there() -> None:
    """docs/reconciliation.md: a row for each rule, promise and named case, and no test that has gone or has another name."""
    page = (ROOT / "docs" / "reconciliation.md").read_text(encoding="utf-8")
    first = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ") and "`" in line}
    wanted = {str(n) for n in range(12)} | {f"E{n}" for n in range(1, 9)} | {f"I{n}" for n in range(1, 14)}
    assert not wanted - first, f"no row for {sorted(wanted - first)}"
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    gone = [name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in source]
    gone += [place for place in re.findall(r"tests/\w+/test_\w+\.py", page) if not (ROOT / place).exists()]
    assert not gone, f"the page names what is not there: {gone}"


def test_a_stale_fault_is_told() -> None:
    stale = Mutant("x", "R1", "sync/reconcile/decide.py", "no such text", "", "table", "-")
    with pytest.raises(Stale, match="stands 0 times"):
        patched(stale)


def test_a_name_that_is_not_listed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["a kept record is made as often as it is asked for", "no such fault"]) == 2
    assert capsys.readouterr().out == "no such fault is listed: no such fault\n"


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_no_fault_survives(part: int, tell: Callable[[str, str, int], None]) -> None:
    names = [m.name for m in PARTS[part]]
    # beside other workers one at a time; alone both processors are ours
    jobs = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"SVERKA_MUTANT_JOBS": jobs}
    done = subprocess.run(
        [sys.executable, "-m", "tests.spec.mutants", "--no-right", *names],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"killed {len(names)} of {len(names)}" in done.stdout
    for layer, number in Counter(m.layer for m in PARTS[part]).items():
        tell("mutants killed", layer, number)
