"""Running the public commands in a folder of their own: each in a process of its own, or, where a test starts many, all but
one of them in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.peers.stage import run_here


class Commands:
    """`run` gives a finished command; `ask` its --json document; `here` is `run` without starting a process."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(config, encoding="utf-8")

    def run(self, *args: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sync", "-c", str(self.config), *args],
            capture_output=True,
            text=True,
            input=given,
            cwd=self.folder,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )

    def here(self, *args: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return run_here(self.config, *args, given=given)

    def ask(self, *args: str) -> Any:
        return json.loads(self.run(*args, "--json").stdout)
