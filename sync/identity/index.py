"""The resolver's view of the base: profiles, the keys that lead to them, and who works where. Tables of three columns and SQL
that SQLite and PostgreSQL both read, at driver level, because one event asks it several times.

A profile's uid is a client's or a person's. Everything here can be made again from the observations; `VERSION` changes with
the canonical forms and says when that is due.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Self

import orjson
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from sync.identity import companies
from sync.identity.names import ABSENT, Agreement, Name, compare, parse
from sync.store.tables import identity_job, identity_key, identity_profile

VERSION = 1
CAP = 24  # profiles fetched for one key: past that the key identifies nobody anyway

TABLES = (identity_profile, identity_key, identity_job)


@dataclass(slots=True)
class Job:
    """An employment: open while `until` is empty."""

    person: str
    company: str
    since: str = ""
    until: str = ""


@dataclass
class Profile:
    """A company or a person as its observations show it."""

    uid: str
    kind: str  # company, person
    names: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    inn: str = ""
    ogrn: str = ""
    kpp: str = ""
    held: bool = False  # a holding card: a question about it is open
    agent: bool = False  # serves several companies: a letter that names none is a question

    @property
    def as_person(self) -> list[Name]:
        return [n for text in self.names if (n := parse(text))]

    @property
    def as_company(self) -> list[companies.Company]:
        return [c for text in self.names if (c := companies.parse(text))]

    def agreement(self, name: Name) -> Agreement:
        """The best verdict over the names that it is known by."""
        found = [compare(name, own) for own in self.as_person]
        return max(found, key=lambda a: _RANK[a.verdict], default=ABSENT)

    def named(self, company: companies.Company) -> str:
        """The best verdict over the company's names: same, like, absent, other."""
        found = [companies.compare(company, own) for own in self.as_company]
        return max(found, key=lambda v: _NAMED[v], default="absent")

    def copy(self) -> Profile:
        """One whose lists can be added to."""
        return replace(
            self,
            names=list(self.names),
            phones=list(self.phones),
            emails=list(self.emails),
            domains=list(self.domains),
        )

    def dump(self) -> str:
        data = {
            n: v
            for n in ("names", "phones", "emails", "domains", "inn", "ogrn", "kpp", "held", "agent")
            if (v := getattr(self, n))
        }
        return orjson.dumps(data).decode()

    def leads(self) -> list[tuple[str, str]]:
        """Everything that leads here."""
        found = [("email", e) for e in self.emails] + [("phone", p) for p in self.phones]
        if self.kind == "company":
            found += [("domain", d) for d in self.domains] + [("company", c.key) for c in self.as_company]
            found += [("company", c.owner.last) for c in self.as_company if c.owner.last]
        else:
            found += [("name", n.key) for n in self.as_person if n.key]
        found += [("inn", self.inn)] if self.inn else []
        found += [("ogrn", self.ogrn)] if self.ogrn else []
        return list(dict.fromkeys(found))


_RANK = {"full": 5, "part": 4, "absent": 3, "doubt": 2, "other": 1}
_NAMED = {"same": 4, "like": 3, "absent": 2, "other": 1}
Run = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
_ROWS = 100  # rows of one INSERT when many are loaded


class Index:
    """Reads and writes through `run(sql, values)`; `mark` is the driver's placeholder ("?" or "%s")."""

    def __init__(self, run: Run, mark: str = "?") -> None:
        self._run = run
        self._mark = mark
        self._statements: dict[tuple[str, int], str] = {}

    @classmethod
    def sqlite(cls, connection: sqlite3.Connection) -> Index:
        """An index in a private SQLite database, its tables made when they are missing."""
        from sqlalchemy.dialects import sqlite  # of files only: the hub's own index has its tables

        dialect = sqlite.dialect()
        for table in TABLES:
            connection.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
            for one in table.indexes:
                connection.execute(str(CreateIndex(one, if_not_exists=True).compile(dialect=dialect)))
        return cls(connection.execute)

    @classmethod
    def of(cls, tx: Connection) -> Self:
        """The hub's own index, in a transaction on either database."""

        def run(sql: str, values: Sequence[Any]) -> Iterable[Sequence[Any]]:
            found = tx.exec_driver_sql(sql, tuple(values))
            return found.all() if found.returns_rows else ()

        return cls(run, "?" if tx.dialect.name == "sqlite" else "%s")

    def _sql(self, sql: str, count: int = 1) -> str:
        """The statement with `count` placeholders for `#`, and the driver's sign for `?`."""
        text = self._statements.get((sql, count))
        if text is None:
            text = sql.replace("#", ",".join("?" * count)).replace("?", self._mark)
            self._statements[sql, count] = text
        return text

    # -- reading ------------------------------------------------------------------------------------------------------------

    def holders(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        """The uids that each (kind, value) leads to, at most CAP for one key."""
        sql = self._sql(f"SELECT uid FROM identity_key WHERE kind = ? AND value = ? ORDER BY uid LIMIT {CAP}")
        return {key: [row[0] for row in self._run(sql, key)] for key in dict.fromkeys(wanted)}

    def profiles(self, uids: Iterable[str], holding: Sequence[str] = ()) -> dict[str, Profile]:
        """Profiles by uid. `holding`: those in whose data none of these texts stands may be left out, unread."""
        wanted = list(dict.fromkeys(uids))
        if not wanted:
            return {}
        sql = self._sql("SELECT uid, kind, data FROM identity_profile WHERE uid IN (#)", len(wanted))
        return {
            uid: Profile(uid, kind, **orjson.loads(data))
            for uid, kind, data in self._run(sql, wanted)
            if not holding or any(text in data for text in holding)
        }

    def jobs(self, persons: Sequence[str]) -> list[Job]:
        if not persons:
            return []
        sql = self._sql("SELECT person, company, since, until FROM identity_job WHERE person IN (#)", len(persons))
        return [Job(*row) for row in self._run(sql, persons)]

    def staff(self, company: str, limit: int = 60) -> list[str]:
        """People who work there or did."""
        sql = self._sql(f"SELECT person FROM identity_job WHERE company = ? ORDER BY person LIMIT {int(limit)}")
        return [row[0] for row in self._run(sql, (company,))]

    # -- writing ------------------------------------------------------------------------------------------------------------

    def save(self, profile: Profile, added: Iterable[tuple[str, str]] | None = None) -> None:
        """Store a profile and its keys (`added`: only those)."""
        sql = (
            "INSERT INTO identity_profile (uid, kind, data) VALUES (?, ?, ?) "
            "ON CONFLICT (uid) DO UPDATE SET data = excluded.data"
        )
        self._run(self._sql(sql), (profile.uid, profile.kind, profile.dump()))
        self.add_keys((kind, value, profile.uid) for kind, value in (profile.leads() if added is None else added))

    def put(self, profile: Profile) -> None:
        """A profile as it is now, with exactly its own keys: after a merge, an unmerge or a correction."""
        self.drop(profile.uid)
        self.save(profile)

    def drop(self, uid: str) -> None:
        """Forget a profile and its keys; its employments stay."""
        for kind, value in [key for p in self.profiles([uid]).values() for key in p.leads()]:
            self._run(
                self._sql("DELETE FROM identity_key WHERE kind = ? AND value = ? AND uid = ?"), (kind, value, uid)
            )
        self._run(self._sql("DELETE FROM identity_profile WHERE uid = ?"), (uid,))

    def employ(self, job: Job) -> None:
        sql = (
            "INSERT INTO identity_job (person, company, since, until) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (person, company) DO UPDATE SET since = excluded.since, until = excluded.until"
        )
        self._run(self._sql(sql), (job.person, job.company, job.since, job.until))

    # -- many at once -------------------------------------------------------------------------------------------------------

    def stage(self) -> None:
        """Begin a load: keys are collected in a table without an index and go in sorted at the end."""
        self._run("CREATE TEMP TABLE IF NOT EXISTS identity_staged (kind TEXT, value TEXT, uid TEXT)", ())
        self._run("CREATE TEMP TABLE IF NOT EXISTS identity_staff (company TEXT, domain TEXT)", ())

    def add(self, profiles: Sequence[Profile]) -> None:
        """Store profiles; the last one of a uid counts."""
        self.add_profiles((p.uid, p.kind, p.dump()) for p in profiles)
        staged = [(kind, value, p.uid) for p in profiles for kind, value in p.leads()]
        self._insert("INSERT INTO identity_staged (kind, value, uid) VALUES ", staged)

    def add_profiles(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(uid, kind, dump); each uid once."""
        start = "INSERT INTO identity_profile (uid, kind, data) VALUES "
        self._insert(start, rows, " ON CONFLICT (uid) DO UPDATE SET data = excluded.data")

    def add_keys(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(kind, value, uid) straight into the keys; fast when they come sorted."""
        self._insert("INSERT INTO identity_key (kind, value, uid) VALUES ", rows, " ON CONFLICT DO NOTHING")

    def employ_all(self, jobs: Iterable[Job]) -> None:
        rows = {(j.person, j.company): (j.person, j.company, j.since, j.until) for j in jobs}
        self.employ_rows(rows.values())

    def employ_rows(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """(person, company, since, until); of those that are there already nothing changes."""
        start = "INSERT INTO identity_job (person, company, since, until) VALUES "
        self._insert(start, rows, " ON CONFLICT DO NOTHING")

    def add_staff_domains(self, rows: Iterable[tuple[str, str]]) -> None:
        self._insert("INSERT INTO identity_staff (company, domain) VALUES ", rows)

    def settle(self) -> None:
        """End a load. A domain that no company claims belongs to the companies whose people write from it."""
        self._run(
            "INSERT INTO identity_key (kind, value, uid) SELECT kind, value, uid FROM identity_staged "
            "WHERE true ORDER BY kind, value, uid ON CONFLICT DO NOTHING",
            (),
        )
        self._run("DROP TABLE identity_staged", ())
        free = self._run(
            "SELECT DISTINCT s.company, s.domain FROM identity_staff s JOIN identity_profile p ON p.uid = s.company "
            "WHERE NOT EXISTS (SELECT 1 FROM identity_key k WHERE k.kind = 'domain' AND k.value = s.domain)",
            (),
        )
        for company, domain in list(free):
            profile = self.profiles([company])[company]
            profile.domains.append(domain)
            self.save(profile, [("domain", domain)])
        self._run("DROP TABLE identity_staff", ())

    def _insert(self, start: str, rows: Iterable[Sequence[Any]], end: str = "") -> None:
        listed = iter(rows)
        while chunk := list(islice(listed, _ROWS)):
            width = len(chunk[0])
            group = "(" + ",".join("?" * width) + ")"
            sql = self._sql(start + ",".join([group] * len(chunk)) + end)
            self._run(sql, [value for row in chunk for value in row])
