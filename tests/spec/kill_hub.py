"""The hub inside a process that will be killed: what it is asked to do, and what its database says afterwards.

`Inside` runs in a forked child; every public method is one request of the parent (tests/spec/kill.py). `state` is the
database's content with made identifiers replaced by stable names and times left out, so that two histories of the same
facts are equal.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.base import Arrival, Record, Reply, Request
from adapters.mail.adapter import KIND, MailAdapter
from adapters.mail.smtp import message_id_of
from sync import config as configuration
from sync.errors import SverkaError
from sync.flow.exchange import Context
from sync.flow.plug import Plug
from sync.hub import acts, commands, runs, works
from sync.hub.runtime import Hub
from sync.intake.inbox import Incoming
from sync.store import tables
from sync.store.types import dumps

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
PASSES = 8  # until nothing moves any more; a chain of facts is shorter
LONGEST = timedelta(hours=2)  # a postponed write comes again within it
SILENCE = timedelta(minutes=5)  # after it, files that nobody asked to import are imported


class Clock:
    """Moves a millisecond at every look: every run passes the same instants in the same order."""

    def __init__(self, later: timedelta) -> None:
        self._at = START + later
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._at += timedelta(milliseconds=1)
            return self._at

    def pass_(self, time: timedelta) -> None:
        with self._lock:
            self._at += time


class Letterbox(MailAdapter):
    """Mail whose Sent folder is a folder on disk, filled by the SMTP stand-in: real sending, cheap looking up."""

    sent: Path

    def find(self, kind: str, key: str) -> Record | None:
        wanted = message_id_of(self.settings, key)
        for path in sorted(self.sent.glob("*.eml")):
            if wanted.encode() in path.read_bytes():
                return Record(KIND, f"{wanted}#sent", {"message_id": wanted})
        return None

    def _keep_copy(self, letter: Any) -> None:
        """The stand-in's folder has it already."""


class Inside:
    """One life of the hub's process."""

    killed = False  # as of a child, where one plays a scenario without one

    def __init__(self, config: dict[str, Any], later: timedelta, sent: Path) -> None:
        self.clock = Clock(later)
        self.hub = Hub(configuration.build(json.loads(json.dumps(config)), environ={}), self.clock)
        if self.hub.broken:
            raise next(iter(self.hub.broken.values()))
        for plug in list(self.hub.plugs.values()):
            if isinstance(plug.adapter, MailAdapter):
                adapter = Letterbox(plug.adapter.settings, plug.adapter.context)
                adapter.sent = sent
                self.hub.plugs[plug.name] = replace(plug, adapter=adapter)
        self.hub.wake = self._wake
        self._waking = False
        self._servers: dict[str, Any] = {}

    # what is asked of it ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """What every start does first where it holds the work lock; on PostgreSQL leases run out instead."""
        if self.hub.store.sqlite:
            runs.close_interrupted(self.hub.world)

    def work(self) -> int:
        """People's commands, then everything that is due, once; gives how much moved."""
        moved = commands.run_commands(self.hub)
        done, trouble = works.sync_once(self.hub)
        for name, error in trouble.items():
            raise AssertionError(f"{name}: {error.code}: {error.text.en}")
        return moved + sum(r.counts.new + r.counts.changed + r.counts.writes for r in done)

    def finish(self) -> None:
        """Work until a pass moves nothing and nothing waits for its time."""
        self.clock.pass_(SILENCE)
        for _ in range(PASSES):
            moved = self.work()
            waits = self._waits()
            if waits:
                self.clock.pass_(LONGEST)
            if not moved and not waits:
                return
        raise AssertionError(f"the hub does not come to rest: {PASSES} passes, {waits} writes wait")

    def submit(self, connection: str, body: bytes, content_type: str) -> int:
        """A post to /in/<connection>, as the endpoint takes it; the status is given only after the commit."""
        plug = self.hub.plugs[connection]
        headers = {"content-type": content_type}
        arrival = Arrival("", headers=headers, at=self.hub.now(), size=len(body), open=lambda: BytesIO(body))
        look = plug.adapter.receive(arrival)
        incoming = Incoming(
            connection,
            "push",
            arrival.name,
            arrival.at,
            body if look.stored is None else look.stored,
            key=look.key,
            label=look.label,
            text=look.reason,
            request={"method": "POST", "query": {}, "headers": headers},
        )
        self.hub.writer.submit(incoming).result(30)
        return look.reply.status

    def handle(self, connection: str, request: Request) -> Reply:
        """A request to a protocol that the connection's adapter speaks as the server."""
        plug = self.hub.plugs[connection]
        server = self._servers.setdefault(connection, plug.adapter.server())
        reply: Reply = server.handle(request, Context(self.hub.world, plug, self.hub.spool))
        return reply

    def stage(self, number: str, stage: str) -> None:
        acts.set_stage(self.hub, number, stage, "Ирина Пробная")

    def retry(self) -> int:
        """A person retries whatever lies in quarantine; gives the number of rows."""
        with self.hub.store.read() as tx:
            query = sa.select(tables.quarantine.c.id).where(tables.quarantine.c.state == "open")
            rows = tx.execute(query.order_by(tables.quarantine.c.id)).all()
        for row in rows:
            acts.retry(self.hub, row.id)
        return len(rows)

    def state(self) -> dict[str, list[str]]:
        return State(self.hub).all()

    def close(self) -> None:
        self.hub.close()

    # helpers ------------------------------------------------------------------------------------------------------

    def _wake(self, name: str) -> None:
        """The service would take it in another thread; here at once."""
        plug: Plug | None = self.hub.plugs.get(name)
        if plug is None or self._waking:
            return
        self._waking = True
        try:
            works.take_pushed(self.hub, plug)
        except SverkaError as error:
            raise AssertionError(f"{error.code}: {error.text.en}") from error
        finally:
            self._waking = False

    def _waits(self) -> int:
        intent = tables.intent
        query = sa.select(sa.func.count()).where(
            intent.c.state.in_(("planned", "sending")), intent.c.op != "offer", intent.c.next_at.is_not(None)
        )
        with self.hub.store.read() as tx:
            return int(tx.execute(query).scalar_one())


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?|\b\d{10}\.\d+\b|\d{8}T\d{6}Z")
# a write that is decided again is "observed": who wished it, the row of the record itself says
_WROTE = re.compile(r'"why":"wrote:\w+"')
_SESSION = re.compile(r"\b[0-9a-f]{32}\b(\.\d+)?")
# of every table: what is the same however often the process died on the way
_COLUMNS = {
    "record": "kind number title stage client_uid amount currency paid shipped data merged_into converted_deal person_uid held",
    "link": "connection native_kind external_id record_uid shadow base state number",
    "observation": "kind value raw client_uid source record",
    "activity": "key type direction subject text client_uid deal_uid lead_uid connection thread evidence data person_uid label",
    "belongs": "what card person rule evidence source said",
    "identity_profile": "uid kind data",
    "identity_key": "kind value uid",
    "identity_job": "person company since until",
    "document": "deal_uid connection key kind number amount currency posted reversed",
    "price": "product_uid connection price_type value currency",
    "stock": "product_uid connection warehouse qty",
    "journal": "record_uid kind connection why who changes",
    "intent": "record_uid connection native_kind op data fields state number",
    "conflict": "record_uid field cause sides base state",
    "quarantine": "connection native_kind external_id stage code field record_uid",
    "review": "record_uid reason candidates state decision",
    "task": "type text subject_uid client_uid",
    "notice": "key text",
    "cursor": "connection native_kind cursor",
    "edit": "record_uid field value",
    "command": "kind args",
    "run": "connection work",
    "inbox": "connection via name key state label",
}


def only() -> dict[str, sa.ColumnElement[bool]]:
    """Rows that count: what is closed, overtaken or repeated may differ between two histories."""
    return {
        "intent": tables.intent.c.state != "dropped",
        "conflict": tables.conflict.c.state == "open",
        "quarantine": tables.quarantine.c.state != "closed",
        "edit": tables.edit.c.state == "pending",
        "command": tables.command.c.state != "done",
        "run": tables.run.c.outcome == "running",
        "inbox": tables.inbox.c.duplicate_of.is_(None),
    }


class State:
    """The database's content as comparable lines, table by table."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        with hub.store.read() as tx:
            records = tx.execute(sa.select(tables.record)).all()
            self._rows = {
                name: tx.execute(
                    sa.select(*(tables.metadata.tables[name].c[c] for c in columns.split())).where(
                        only().get(name, sa.true())
                    )
                ).all()
                for name, columns in _COLUMNS.items()
            }
            self._files = [r.spool for r in tx.execute(sa.select(tables.inbox.c.spool)) if r.spool]
            spool = tables.spool
            self._files += [r.file for r in tx.execute(sa.select(spool.c.file))]
        self._names = {r.uid: f"{r.kind}:{r.number or r.title}" for r in records}

    def all(self) -> dict[str, list[str]]:
        found = {name: sorted(self._line(row) for row in rows) for name, rows in self._rows.items()}
        # a page or a file that was stored but not yet taken may come once more and says nothing new
        found["inbox"] = sorted(set(found["inbox"]))
        # the same of what a side was seen to show: that the rows add up in every case, the audit proves
        found["journal"] = [line for line in found["journal"] if '"why":"seen"' not in line]
        found["lost files"] = [f for f in self._files if not self._hub.spool.path(f).exists()]
        return found

    def _line(self, row: Any) -> str:
        cells = {str(k): _plain(v) for k, v in row._mapping.items()}
        if str(cells.get("why")).startswith("wrote:"):
            # what stood there before depends on whether the lost write was read back or seen by a poll
            cells["changes"] = {f: v[-1] if isinstance(v, list) and v else v for f, v in cells["changes"].items()}
        text = _UUID.sub(self._name, dumps(cells))
        text = _WROTE.sub('"why":"wrote"', text)
        return _SESSION.sub("<session>", _TIMES.sub("<time>", text))

    def _name(self, match: re.Match[str]) -> str:
        """A record's own name; identifiers of the other sides (version 5 in the stand-ins) stay."""
        return self._names.get(match[0], match[0] if match[1] == "5" else "<id>")


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
