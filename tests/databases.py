"""Fresh databases for tests: `database` and `store` run a test on SQLite and on PostgreSQL, `postgres_url`
and `postgres_store` on the latter only.

PostgreSQL is one throw-away cluster per session, started when the first test asks for it: without fsync, on a socket of its
own, under another user where the tests run as root (PostgreSQL refuses to work as root). Databases with tables are copies
of a template, so that migrations run once per session.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sync.store import Store
from sync.store.tables import metadata
from tests import need

_TEMPLATE = "sverka_template"


def make_tables(store: Store) -> None:
    """Bring an empty database to the present schema: by the migrations, or straight from the tables without them."""
    try:
        from sync.store.migrate import upgrade
    except ModuleNotFoundError:
        with store.begin() as tx:
            metadata.create_all(tx)
    else:
        upgrade(store)


class Cluster:
    """A running PostgreSQL server whose files vanish with it."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sverka-pg-"))  # short: a socket's path has at most 107 characters
        self._numbers = itertools.count(1)
        self._has_template = False
        user = _other_user() if os.geteuid() == 0 else None
        as_user: list[str] = []
        if user is not None:
            os.chown(self.folder, *user)
            as_user = [need.need("setpriv"), f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"]
        data = self.folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "sverka", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*as_user, *initdb, "--no-locale"], check=True, capture_output=True, cwd=self.folder)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        if shutil.which("setpriv"):  # the server must not outlive a test run that was killed
            as_user = [*(as_user or ["setpriv"]), "--pdeathsig", "INT"]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen([*as_user, *command], stdout=log, stderr=log, cwd=self.folder)
        self._wait()

    def url(self, database: str) -> str:
        return f"postgresql://sverka@/{database}?host={self.folder}"

    def create(self, template: str = "template1") -> str:
        """The name of a new database."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def template(self) -> str:
        """A database with tables and no rows, to copy."""
        if not self._has_template:
            self._execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")  # a failed try's
            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            with contextlib.closing(Store.open(self.url(_TEMPLATE))) as store:
                make_tables(store)
            self._has_template = True
        return _TEMPLATE

    def stop(self) -> None:
        self._server.send_signal(signal.SIGQUIT)  # no checkpoint: nothing is kept
        self._server.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _execute(self, sql: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _other_user() -> tuple[int, int]:
    import pwd  # there is none on Windows

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    need.absent("a user other than root for postgresql")
    raise AssertionError


def _programs() -> Path:
    """The newest installed PostgreSQL's own folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3].split(".")[0]))
    if found:
        return found[-1].parent
    if (path := shutil.which("initdb")) is None:
        need.absent("postgresql")
    return Path(str(path)).resolve().parent


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    cluster = Cluster(_programs())
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with tables and no rows, to copy."""
    path = tmp_path_factory.mktemp("template") / "sverka.db"
    with contextlib.closing(Store.open(f"sqlite:///{path}")) as store:
        make_tables(store)
    return path


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = postgres_cluster.create()
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture
def postgres_store(postgres_cluster: Cluster) -> Iterator[Store]:
    """A PostgreSQL database with tables, open."""
    name = postgres_cluster.create(postgres_cluster.template())
    with contextlib.closing(Store.open(postgres_cluster.url(name))) as opened:
        yield opened
    postgres_cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database: empty, or with tables in a test that also takes `store`."""
    with_tables = "store" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "sverka.db"
        if with_tables:
            shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.create(cluster.template() if with_tables else "template1")
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """The database with its tables, open."""
    with contextlib.closing(Store.open(database)) as opened:
        yield opened
