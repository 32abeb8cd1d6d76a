"""The main job, end to end, through the public commands and HTTP only: what `sverka demo --once --json` says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.peers.demo import tell
from tests.peers.stage import Stage
from tests.peers.story_words import RUSSIAN

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
    assert sum(len(s["checks"]) for s in summary["steps"]) >= 80
    assert summary["ok"]
    assert done.returncode == 0
    told = {text for s in summary["steps"] for text in (s["step"], *(c["check"] for c in s["checks"]))}
    assert told == set(RUSSIAN)  # the story is told in Russian too, all of it and nothing else


def test_the_story_on_postgresql_with_a_second_worker(postgres_url: str, tmp_path: Path) -> None:
    """The same, on the other database and the other engine, with `sverka worker` beside the service."""
    with Stage(tmp_path, database=postgres_url) as stage:
        stage.serve()
        worker = subprocess.Popen(
            [sys.executable, "-m", "sync", "-c", str(stage.config), "worker"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            told = tell(stage, lambda row: None)
        finally:
            worker.send_signal(signal.SIGINT)
            said = worker.communicate(timeout=30)[1]
        wrong = [f"{s['step']}: {c['check']}" for s in told for c in s["checks"] if not c["ok"]]
        assert not wrong, "\n".join([*wrong, stage.output, said])
        assert len(told) == STEPS
        assert worker.returncode == 0, said
