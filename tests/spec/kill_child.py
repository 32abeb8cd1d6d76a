"""The hub's process that is killed, and databases that can be put back.

A child is forked from the test, works as the parent asks it to over a pair of sockets, and sends itself SIGKILL at the n-th
instant of `sync.store.points`.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import socket
import struct
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, Protocol

import psycopg
from psycopg.sql import SQL, Identifier

from sync.store import points
from tests.databases import Cluster
from tests.spec.kill_hub import Inside
from tests.spec.kill_mutants import MUTANTS

ANSWER = 60.0  # seconds that one request to a child may take


class Killed(ConnectionError):
    """The child is gone; to the world it is a connection that broke."""


class Database(Protocol):
    url: str
    down: timedelta  # between the kill and the next start, by the hub's clock

    def save(self) -> None:
        """Remember the present content; nobody has it open."""

    def restore(self) -> None:
        """Bring the remembered content back."""


class SqliteDatabase:
    down = timedelta(seconds=10)  # whoever has the work lock need not wait for the leases of the dead

    def __init__(self, folder: Path, template: Path) -> None:
        self._file, self._kept = folder / "hub.db", folder / "kept.db"
        self.url = f"sqlite:///{self._file}"
        shutil.copyfile(template, self._file)

    def save(self) -> None:
        _copy_database(self._file, self._kept)

    def restore(self) -> None:
        _copy_database(self._kept, self._file)


def _copy_database(source: Path, target: Path) -> None:
    for end in ("", "-wal", "-shm"):
        target.with_name(target.name + end).unlink(missing_ok=True)
        if source.with_name(source.name + end).exists():
            shutil.copyfile(source.with_name(source.name + end), target.with_name(target.name + end))


class PostgresDatabase:
    down = timedelta(minutes=5)  # other workers may live: leases run out

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.url("postgres")
        self._name = cluster.create(cluster.template())
        self._kept = f"{self._name}_kept"
        self.url = cluster.url(self._name)

    def save(self) -> None:
        self._copy(self._name, self._kept)

    def restore(self) -> None:
        self._copy(self._kept, self._name)

    def _copy(self, source: str, target: str) -> None:
        until = time.monotonic() + 10
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(target)))
            while True:
                try:
                    server.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(target), Identifier(source)))
                    return
                except psycopg.errors.ObjectInUse:  # the server has not yet noticed that a process is gone
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.02)


class Child:
    """A hub in a process of its own. Any method of `Inside` may be called on it; `Killed` when it is no more."""

    def __init__(self, make: Callable[[], Inside], kill_at: int | None = None, mutant: str = "") -> None:
        ours, theirs = socket.socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of the stand-ins are idle now
            self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _live(theirs, make, kill_at, mutant)
        theirs.close()
        ours.settimeout(ANSWER)
        self._socket, self.killed = ours, False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args: self.ask(name, *args)

    def ask(self, name: str, *args: Any) -> Any:
        try:
            _send(self._socket, (name, args))
            kind, value = _receive(self._socket)
        except (ConnectionError, EOFError) as error:
            self.killed = True
            raise Killed("the hub was killed") from error
        if kind == "error":
            raise AssertionError(f"in the hub's process:\n{value}")
        return value

    def end(self) -> None:
        """Let it close the database and go; collects a killed one as well."""
        with contextlib.suppress(Killed):
            self.ask("bye")
        self._socket.close()
        _, status = os.waitpid(self.pid, 0)
        if self.killed and not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            raise AssertionError(f"the hub's process ended by itself: {status}")

    def abandon(self) -> None:
        """After a failure of the test: whatever it does, it must not stay."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self._socket.close()


def _live(channel: socket.socket, make: Callable[[], Inside], kill_at: int | None, mutant: str) -> NoReturn:
    """The child's whole life. It never returns into the test."""
    try:
        seen: list[str] = []
        lock = threading.Lock()

        def hook(point: str) -> None:
            with lock:
                seen.append(point)
                if len(seen) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        points.hook = hook
        if mutant:
            MUTANTS[mutant]()
        inside = make()
        while True:
            name, args = _receive(channel)
            try:
                if name == "bye":
                    inside.close()
                answer = seen if name in ("bye", "points") else getattr(inside, name)(*args)
                _send(channel, ("ok", answer))
            except Exception:
                _send(channel, ("error", traceback.format_exc()))
            if name == "bye":
                os._exit(0)
    except BaseException:
        with contextlib.suppress(OSError):
            _send(channel, ("error", traceback.format_exc()))
    finally:
        os._exit(1)


def _send(channel: socket.socket, value: Any) -> None:
    raw = pickle.dumps(value)
    channel.sendall(struct.pack("!I", len(raw)) + raw)


def _receive(channel: socket.socket) -> Any:
    (size,) = struct.unpack("!I", _exactly(channel, 4))
    return pickle.loads(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
