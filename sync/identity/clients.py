"""Clients in the database: looking identifiers up, making new clients and holding cards, remembering what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.identity.resolver import Keys, Known, Verdict, keys_of, resolve
from sync.store import Store, new_uid
from sync.store.tables import journal, observation, record, review


@dataclass(frozen=True, slots=True)
class _Note:
    """What the journal says of a change to a client."""

    source: str
    at: datetime
    cause: tuple[int | None, int | None]

    def write(self, tx: Connection, uid: str, kind: str, why: str, changes: Mapping[str, Any]) -> None:
        tx.execute(
            journal.insert().values(
                at=self.at,
                run_id=self.cause[0],
                inbox_id=self.cause[1],
                record_uid=uid,
                kind=kind,
                connection=self.source,
                why=why,
                who=self.source,
                changes=dict(changes),
            )
        )


def attach(
    store: Store,
    tx: Connection,
    client: Mapping[str, Any],
    source: str,
    now: datetime,
    country: str = "RU",
    own_domains: Sequence[str] = (),
    own_lines: Sequence[str] = (),
    cause: tuple[int | None, int | None] = (None, None),
) -> tuple[str | None, Verdict, bool]:
    """(client uid, verdict, whether the client was made now). A question gives a holding card, so nothing is lost.

    None only when nothing at all identifies the sender. `cause`: the run and the arrival, for the journal.
    """
    note = _Note(source, now, cause)
    keys = keys_of(client, country, own_domains, own_lines)
    for kind, value, _ in sorted(keys.all()):  # two events of one unknown person must not make two clients
        store.lock_key(tx, f"{kind}:{value}")
    verdict = resolve(keys, _known(tx, keys))
    if verdict.rule == "none":
        return None, verdict, False
    uid = verdict.client or _decided(tx, keys, verdict)
    made = uid is None
    if uid is None:
        uid = _make(tx, keys, client, note)
        if verdict.question:
            tx.execute(
                review.insert().values(
                    record_uid=uid,
                    reason={"en": verdict.text.en, "ru": verdict.text.ru},
                    candidates=list(verdict.candidates),
                    state="open",
                    created_at=now,
                )
            )
    elif not verdict.question:
        _learn(tx, uid, keys, note)
    if not verdict.question:
        _observe(tx, uid, keys, source, now)
    return uid, verdict, made


def recognise(
    store: Store,
    tx: Connection,
    client: Mapping[str, Any],
    source: str,
    now: datetime,
    country: str = "RU",
    own_domains: Sequence[str] = (),
    own_lines: Sequence[str] = (),
) -> tuple[str | None, bool]:
    """(the client that a card is of, whether there is no doubt about that). Nobody is made: a card is a record already."""
    keys = keys_of(client, country, own_domains, own_lines)
    for kind, value, _ in sorted(keys.all()):
        store.lock_key(tx, f"{kind}:{value}")
    verdict = resolve(keys, _known(tx, keys))
    if verdict.question:
        return None, False
    if verdict.client is not None:
        _observe(tx, verdict.client, keys, source, now)
    return verdict.client, True


def introduce(
    tx: Connection,
    uid: str,
    client: Mapping[str, Any],
    source: str,
    now: datetime,
    country: str = "RU",
    own_domains: Sequence[str] = (),
    own_lines: Sequence[str] = (),
) -> None:
    """What identifies the client of a new card leads to it from now on."""
    _observe(tx, uid, keys_of(client, country, own_domains, own_lines), source, now)


def _known(tx: Connection, keys: Keys) -> list[Known]:
    found = []
    for kind, value, _ in keys.all():
        rows = tx.execute(
            sa.select(record.c.uid, record.c.kind, record.c.title)
            .join(observation, observation.c.client_uid == record.c.uid)
            .where(observation.c.kind == kind, observation.c.value == value, record.c.merged_into.is_(None))
            .order_by(observation.c.id)
            .limit(20)
        )
        found += [Known(r.uid, r.kind, r.title or "", (kind, value)) for r in rows]
    return found


def _decided(tx: Connection, keys: Keys, verdict: Verdict) -> str | None:
    """Where the same question (the same name under the same candidates) lies already: its holding card, or the client
    that a person chose."""
    if not verdict.question:
        return None
    wanted = {c["uid"] for c in verdict.candidates}
    rows = tx.execute(
        sa.select(review.c.record_uid, review.c.candidates, review.c.decision)
        .join(record, record.c.uid == review.c.record_uid)
        .where(review.c.state.in_(("open", "decided")), record.c.title == _title(keys))
        .order_by(review.c.id.desc())
    )
    for row in rows:
        if {c["uid"] for c in row.candidates} == wanted:
            choice = (row.decision or {}).get("choice", "new")
            return str(row.record_uid if choice == "new" else choice)
    return None


def _title(keys: Keys) -> str:
    first = keys.all()
    return (keys.company if keys.inn else keys.name) or keys.company or (first[0][2] if first else "")


def _make(tx: Connection, keys: Keys, client: Mapping[str, Any], note: _Note) -> str:
    uid = new_uid()
    data: dict[str, Any] = {"name": _title(keys)}
    if keys.inn:
        data |= {"inn": keys.inn[0][0], "kind": "sole_trader" if len(keys.inn[0][0]) == 12 else "legal"}
        if client.get("kpp"):
            data["kpp"] = client["kpp"]
    data |= {"phones": [v for v, _ in keys.phones], "emails": [v for v, _ in keys.emails]}
    kind, data = "company" if keys.inn else "contact", {k: v for k, v in data.items() if v}
    tx.execute(
        record.insert().values(
            uid=uid,
            kind=kind,
            title=_title(keys),
            number=data.get("inn"),
            data=data,
            created_at=note.at,
            updated_at=note.at,
        )
    )
    note.write(tx, uid, kind, "created", data)
    return uid


def _learn(tx: Connection, uid: str, keys: Keys, note: _Note) -> None:
    """A fuller name and further phones and addresses of a known client."""
    row = tx.execute(
        sa.select(record.c.data, record.c.title, record.c.kind).where(record.c.uid == uid).with_for_update()
    ).one()
    data = dict(row.data)
    for name, values in (("phones", keys.phones), ("emails", keys.emails)):
        have = list(data.get(name) or [])
        data[name] = have + [v for v, _ in values if v not in have]
    title = row.title or ""
    if keys.name and row.kind == "contact" and len(keys.name.split()) > len(title.split()):
        title = data["name"] = keys.name
    data = {k: v for k, v in data.items() if v}
    if data != row.data or title != (row.title or ""):
        tx.execute(record.update().where(record.c.uid == uid).values(data=data, title=title, updated_at=note.at))
        changes = {k: [row.data.get(k), v] for k, v in data.items() if row.data.get(k) != v}
        note.write(tx, uid, row.kind, "observed", changes)


def _observe(tx: Connection, uid: str, keys: Keys, source: str, now: datetime) -> None:
    for kind, value, raw in keys.all():
        seen = tx.execute(
            sa.select(observation.c.id).where(
                observation.c.kind == kind, observation.c.value == value, observation.c.client_uid == uid
            )
        ).first()
        if seen is None:
            tx.execute(
                observation.insert().values(
                    kind=kind, value=value, raw=raw, client_uid=uid, source=source, first_seen=now, last_seen=now
                )
            )
