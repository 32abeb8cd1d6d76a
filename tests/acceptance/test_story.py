"""The main job, end to end, through the public commands and HTTP only: what `sverka demo --once --json` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEPS = 10


def test_every_step_of_the_story_comes_out_as_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sync", "demo", "--once", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout, done.stderr
    summary = json.loads(done.stdout)  # one document and nothing else
    wrong = [f"{s['step']}: {c['check']}" for s in summary["steps"] for c in s["checks"] if not c["ok"]]
    assert not wrong, "\n".join([*wrong, done.stderr])
    assert len(summary["steps"]) == STEPS
    assert sum(len(s["checks"]) for s in summary["steps"]) >= 60
    assert summary["ok"]
    assert done.returncode == 0
