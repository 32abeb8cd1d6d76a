"""The stage of the story: every stand-in started, a configuration written, and the hub's public commands at hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from sync.cli.app import app
from tests.peers.forms import TildaSender
from tests.peers.mail import PymapServer, SmtpPeer
from tests.peers.onec import OneCBase, UtClient
from tests.peers.woo import WooPeer

CONFIG = """
[hub]
language = "{language}"
database = "{database}"
call_within = "1s"
price_type = "Розничная"
own_domains = ["firma.test"]

[notices]
via = "mail"
to = ["boss@firma.test"]

[connections.tilda]
adapter = "tilda"
secret = "form-secret"

[connections.site]
adapter = "form"
honeypot = "website"

[connections.office]
adapter = "events"
role = "form"

[connections.shop]
adapter = "woocommerce"
url = "{shop}"
key = "{shop_key}"
secret = "{shop_secret}"
webhook_secret = "hook-secret"
every = "1s"
rate = 6000

[connections.mail]
adapter = "mail"
every = "2s"
rate = 6000
imap_host = "127.0.0.1"
imap_port = {imap_port}
imap_tls = "none"
login = "sales@firma.test"
password = "secret"
smtp_host = "127.0.0.1"
smtp_port = {smtp_port}
smtp_tls = "none"
own_domains = ["firma.test"]

[connections.onec]
adapter = "onec_exchange"
login = "1c"
password = "1c-secret"
file_limit = 3000
idle_import = 5

[connections.goods]
adapter = "onec_folder"
folder = "{folder}"
settle_seconds = 0
every = "1s"

[[flow]]
kind = "deal"
from = "shop"
to = "onec"
create = "always"

[[flow]]
kind = "product"
from = "onec"
to = "shop"
"""


class Stage:
    """Use it as a context manager. `serve()` starts the hub as its own process; commands run beside it."""

    def __init__(self, folder: Path | None = None, language: str = "ru", database: str = "sqlite:///hub.db") -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="sverka-demo-")
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        self.config = self.folder / "config.toml"
        self.shop = WooPeer()
        self.mail = PymapServer()
        self.smtp = SmtpPeer("sales@firma.test", "secret")
        self.onec = OneCBase()
        self.address = ""
        self._language, self._database = language, database
        self._server: subprocess.Popen[str] | None = None
        self._output: list[str] = []

    def __enter__(self) -> Stage:
        self.goods = self.folder / "from-1c"
        self.goods.mkdir(parents=True, exist_ok=True)
        self.shop.start()
        self.smtp.start()
        self.mail.start()
        self.config.write_text(
            CONFIG.format(
                language=self._language,
                database=self._database,
                shop=self.shop.url,
                shop_key=self.shop.key,
                shop_secret=self.shop.secret,
                imap_port=self.mail.port,
                smtp_port=self.smtp.port,
                folder=self.goods,
            ),
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_serving()
        self.mail.stop()
        self.smtp.stop()
        self.shop.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    # The hub, by its public commands and addresses only

    def serve(self, port: int | None = None) -> None:
        """Start `sverka serve` and wait until it says its address; without a port, where it was before."""
        port = int(self.address.rpartition(":")[2] or 0) if port is None else port
        self._server = subprocess.Popen(
            [sys.executable, "-m", "sync", "-c", str(self.config), "serve", "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._output = []
        self.address = ""
        threading.Thread(target=self._listen, args=(self._server,), daemon=True).start()
        wait_for(lambda: self.address or self._server.poll() is not None, 90)  # type: ignore[union-attr]
        if not self.address:
            raise AssertionError("the hub did not start:\n" + "".join(self._output))

    def _listen(self, server: subprocess.Popen[str]) -> None:
        assert server.stdout is not None
        for line in server.stdout:
            self._output.append(line)
            if match := re.search(r"http://[\d.:]+/", line):
                self.address = match[0].rstrip("/")

    @property
    def output(self) -> str:
        return "".join(self._output)

    def stop_serving(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C (or another signal) to the hub, and wait for its end."""
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(number)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            if server.stdout is not None:
                server.stdout.close()

    def sverka(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run one command; gives its exit code, stdout and stderr."""
        return subprocess.run(
            [sys.executable, "-m", "sync", "-c", str(self.config), *args],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def here(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The same without a process of its own: for commands that the story has started once already."""
        return run_here(self.config, *args)

    def ask(self, *args: str) -> Any:
        """A command with --json; its document (None when it printed none)."""
        done = self.here(*args, "--json")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def api(self, path: str, **body: Any) -> Any:
        """GET, or POST when there is a body."""
        if body:
            return httpx.post(self.address + path, json=body, timeout=30).json()
        return httpx.get(self.address + path, timeout=30).json()

    def trace(self, query: str, kind: str = "deal") -> dict[str, Any] | None:
        """The first record of a kind that a search finds, by the API."""
        found = self.api(f"/api/trace?{httpx.QueryParams({'q': query})}")["records"]
        return next((r for r in found if r["kind"] == kind), None)

    def arrivals(self, connection: str) -> list[dict[str, Any]]:
        return list(self.api(f"/api/arrivals?connection={connection}")["arrivals"])

    # The others

    def form(self) -> TildaSender:
        return TildaSender(f"{self.address}/in/tilda", "form-secret", pause=lambda _: None)

    def ut(self) -> UtClient:
        """A stock 1C that exchanges with the hub."""
        return UtClient(self.onec, f"{self.address}/exchange/onec", "1c", "1c-secret")


def run_here(config: Path, *args: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command as the program runs it, in this process: starting one costs more than most commands do."""
    done = CliRunner().invoke(app, ["-c", str(config), *args], input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception  # a process would show a traceback
    return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)


def wait_for(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What `found` gives as soon as it gives something; its last answer after that time."""
    until = time.monotonic() + seconds
    while True:
        value = found()
        if value or time.monotonic() > until:
            return value
        time.sleep(0.1)
