"""The memory systems as a process of their own: a plug-in adapter over a socket, so that they outlive a killed hub.

`Peers` serves the worlds from the parent's thread; `RemoteAdapter` is found by its entry point in the children, as any third
party's adapter is, in fresh processes as well.
"""

from __future__ import annotations

import logging
import os
import pickle
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.base import (
    Adapter,
    AdapterContext,
    AdapterSettings,
    Capabilities,
    Change,
    Finding,
    Native,
    OutcomeUnknown,
    Page,
    Record,
    RetryLater,
    Text,
)
from adapters.memory import MemoryAdapter, MemorySettings, MemoryWorld

NETWORK = 0.008  # seconds that a call may take on its way, so that kills land in calls as well
LOST = Text("the other side hung up", "другая сторона оборвала связь")


class RemoteSettings(AdapterSettings):
    socket: str
    side: str
    kinds: list[str]


class RemoteAdapter(Adapter):
    title = Text("Memory, far away", "Память, далеко")
    role = "crm"
    mapping = "memory"
    Settings = RemoteSettings
    settings: RemoteSettings

    def __init__(self, settings: RemoteSettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        kinds = frozenset(settings.kinds)
        self.capabilities = Capabilities(kinds, kinds, kinds, kinds, kinds, conditional=kinds)

    def check(self) -> Iterator[Finding]:
        self._ask("read", self.settings.kinds[0], "?")
        yield Finding("connect", True, Text("it answers", "отвечает"))

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        yield from self._ask("scan", kind, cursor)

    def read(self, kind: str, id: str) -> Record | None:
        found: Record | None = self._ask("read", kind, id)
        return found

    def find(self, kind: str, key: str) -> Record | None:
        found: Record | None = self._ask("find", kind, key)
        return found

    def write(self, change: Change) -> Record:
        made: Record = self._ask("write", change)
        return made

    def _ask(self, call: str, *args: Any) -> Any:
        self.context.limiter.wait()
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.settimeout(30)
                channel.connect(self.settings.socket)
                send(channel, (self.settings.side, call, args))
                ok, value = receive(channel)
        except OSError as error:
            raise (OutcomeUnknown if call == "write" else RetryLater)(LOST, code="remote.lost") from error
        if not ok:
            raise value
        return value


def send(channel: socket.socket, value: Any) -> None:
    raw = pickle.dumps(value)
    channel.sendall(struct.pack("!I", len(raw)) + raw)


def receive(channel: socket.socket) -> Any:
    with channel.makefile("rb") as stream:
        head = stream.read(4)
        if len(head) < 4:
            raise ConnectionError("closed")
        (size,) = struct.unpack("!I", head)
        raw = stream.read(size)
        if len(raw) < size:
            raise ConnectionError("closed")
    return pickle.loads(raw)


class _Unlimited:
    def wait(self) -> None:
        """Go on."""

    def penalty(self, seconds: float) -> None:
        """Nobody is asked to wait."""


class Peers:
    """Worlds by side, served on a socket in `folder` until closed."""

    def __init__(self, folder: Path, kinds: dict[str, list[str]], worlds: dict[str, MemoryWorld]) -> None:
        self.path = str(folder / "peers")
        context = AdapterContext("peer", _Unlimited(), lambda: datetime.now(UTC), logging.getLogger("peers"))
        self._adapters: dict[str, MemoryAdapter] = {}
        for side, world in worlds.items():
            adapter = MemoryAdapter(MemorySettings(kinds=kinds[side], page_size=5), context)
            adapter.world = world
            self._adapters[side] = adapter
        self.calls = 0
        self.last = ("", "")  # side and name of the call that came last
        self.held = False
        self.news = threading.Condition()
        self.hold: tuple[int, str] | None = None  # (number of a call, before or after it): it stands still there
        self.cut = 0  # calls whose caller did not live to hear the answer
        self._random = random.Random(1)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """One call after the other, each to its end, whether the caller is still there or not."""
        while True:
            try:
                channel, _ = self._server.accept()
            except OSError:
                return
            with channel:
                try:
                    side, call, args = receive(channel)
                except (ConnectionError, EOFError):
                    self.cut += 1  # killed before it had said what it wanted
                    continue
                with self.news:
                    self.calls += 1
                    self.last = (side, call)
                    self.news.notify_all()
                time.sleep(self._random.uniform(0, NETWORK))
                self._stand_still("before")
                try:
                    result = getattr(self._adapters[side], call)(*args)
                    answer = (True, list(result) if call == "scan" else result)
                except Exception as error:
                    answer = (False, error)
                self._stand_still("after")
                try:
                    send(channel, answer)
                except OSError:
                    self.cut += 1  # killed before the answer

    def _stand_still(self, when: str) -> None:
        """Where this call is to be held: until somebody lets it go on."""
        if self.hold == (self.calls, when):
            with self.news:
                self.held = True
                self.news.notify_all()
                self.news.wait_for(lambda: self.hold is None, 30)

    def wait_until_held(self, calls: int, when: str, seconds: float) -> bool:
        with self.news:
            self.held, self.hold = False, (calls, when)
            return self.news.wait_for(lambda: self.held, seconds)

    def go_on(self) -> None:
        with self.news:
            self.hold = None
            self.news.notify_all()

    def wait_for(self, calls: int, seconds: float) -> bool:
        """Until so many calls have come in all; False when they did not come in time."""
        with self.news:
            return self.news.wait_for(lambda: self.calls >= calls, seconds)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


def install(folder: Path) -> Path:
    """A folder for sys.path whose only distribution is this plug-in."""
    info = folder / "site" / "sverka_torture-1.0.dist-info"
    os.makedirs(info)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sverka-torture\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sverka.adapters]\nfaraway = tests.torture.remote:RemoteAdapter\n")
    return folder / "site"
