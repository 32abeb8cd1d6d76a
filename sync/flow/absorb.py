"""One native record comes into the hub: is it new, has it changed, whose is it, what follows. One transaction.

read → (hash equal: same) → translate → identify → reconcile → events and tasks → what other systems get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.errors import NeedHuman, RecordRefused, Text
from sync.flow import deletes, documents, events, matching, offers, sides, trouble
from sync.flow.plug import Cause, Plug, World
from sync.flow.spread import confirmed, spread
from sync.flow.translate import canonical_kind, columns, observed
from sync.flow.weave import note, weave
from sync.flow.whose import client_of, desk_of, event_type, introduce, known_card
from sync.identity import Verdict, said
from sync.lens import Translated
from sync.store import new_uid
from sync.store.asked import HERE, KIND, RECORD, THIS
from sync.store.tables import intent, link, record

_LINK = sa.select(link).where(
    link.c.connection == HERE, link.c.native_kind == KIND, link.c.external_id == sa.bindparam("there")
)
_OF_LINK = link.update().where(link.c.id == THIS)
_WRITTEN = (
    sa.select(intent.c.id)
    .where(
        intent.c.record_uid == RECORD,
        intent.c.connection == HERE,
        intent.c.native_kind == KIND,
        intent.c.op != "offer",
        intent.c.state == "done",
        intent.c.done_at >= sa.bindparam("since"),
    )
    .limit(1)
)
_TARGETS = sa.select(intent.c.connection).where(intent.c.record_uid == RECORD, intent.c.state == "planned").distinct()


@dataclass(slots=True)
class Absorbed:
    outcome: str  # new, changed, same, skipped; stale: read before our own write to it ended
    touched: set[str] = field(default_factory=set)  # connections that got work


def absorb(world: World, tx: Connection, plug: Plug, rec: Record, cause: Cause) -> Absorbed:
    """Take one record in. RecordRefused and NeedHuman put it into quarantine; nothing of it is kept then."""
    known = find_link(tx, plug.name, rec.kind, rec.id)
    digest = plug.hash(rec)
    if known is not None and (nothing := _nothing_new(tx, rec, digest, known, cause)):
        return nothing
    found = plug.mapping.lens(rec.kind).get(rec.data)
    if found.kind == "activity":
        return _activity(world, tx, plug, rec, found, digest, known, cause)
    if rec.deleted and known is None:
        return Absorbed("skipped")
    uid, made = _place(world, tx, plug, rec, found, known, cause)
    lens = plug.mapping.lens(rec.kind)
    before, why = sides.last_shown(tx, plug, lens, known)
    link_id = _remember(world, tx, plug, rec, uid, digest, known, cause)
    deletes.settle(world, tx, plug, rec, known, uid, found.kind, cause)
    name_problems(world, tx, plug, rec, found, uid, cause)
    if made:
        numbered = known is not None and known.number is not None
        fields = observed(world.config, plug, found, deleted=rec.deleted, numbered=numbered, lens=lens)
        data = _first_values(world, tx, plug, uid, found.kind, fields, cause, link_id)
        before, why = sides.begun(lens, data), "seen"
    introduce(world, tx, plug, rec, uid, found, cause)
    news = sides.changes(before, sides.shown(plug, found, deleted=rec.deleted))
    if news:
        note(tx, uid, canonical_kind(found.kind), plug.name, why, news, world.now(), cause, plug.name, link_id)
    verdict = client_of(world, tx, plug, rec, uid, found, cause)
    if found.kind == "offer":
        offers.store_rows(world, tx, plug, uid, found.fields, cause, link_id)
    woven = weave(world, tx, uid, cause)
    if known is not None and not rec.deleted:
        deletes.moved(world, tx, plug, known, canonical_kind(found.kind), cause, changed=woven.changed)
    if found.kind == "deal":
        documents.store(world, tx, plug, uid, found.fields.get("documents"), verdict.client, cause)
    if made and found.kind == "deal" and verdict.client:
        events.convert_lead(world, tx, uid, verdict.client, cause)
    _event(world, tx, plug, rec, found, uid, verdict, cause)
    planned = woven.intents + spread(world, tx, uid, cause)
    touched = _open_targets(tx, uid) if planned else set()
    return Absorbed("new" if known is None else "changed", touched)


def _nothing_new(tx: Connection, rec: Record, digest: bytes, known: Any, cause: Cause) -> Absorbed | None:
    """What becomes of a known record that is not to be taken in; None when it is."""
    if known.state == "detached" and known.deleted_at is None:
        return Absorbed("skipped")  # a person has taken it off
    if known.shadow_hash == digest:
        if known.version != rec.version:  # a write must name the version that stands there now
            tx.execute(link.update().where(link.c.id == known.id).values(version=rec.version))
        if known.told is not None and not rec.deleted:  # it is there after all
            tx.execute(link.update().where(link.c.id == known.id).values(told=None))
        return Absorbed("same")
    if cause.read_at is not None and _written_since(tx, known, cause.read_at):
        return Absorbed("stale")
    return None


def find_link(tx: Connection, connection: str, native_kind: str, external_id: str) -> Any:
    return tx.execute(_LINK, {"here": connection, "kind": native_kind, "there": external_id}).first()


def _written_since(tx: Connection, known: Any, moment: datetime) -> bool:
    place = {"record": known.record_uid, "here": known.connection, "kind": known.native_kind}
    return tx.execute(_WRITTEN, {**place, "since": moment}).first() is not None


def _place(
    world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, known: Any, cause: Cause
) -> tuple[str, bool]:
    """The canonical record that this one belongs to, and whether it was made now."""
    if known is not None:
        return known.record_uid, False
    world.store.lock_key(tx, f"{plug.name}:{rec.kind}:{rec.id}")
    kind = canonical_kind(found.kind)
    if found.kind == "offer":
        return _product_of_offer(world, tx, plug, found.fields, cause), False
    if kind == "product" and found.fields.get("sku"):
        same = tx.execute(
            sa.select(record.c.uid).where(record.c.kind == "product", record.c.number == found.fields["sku"]).limit(2)
        ).all()
        taken = {
            r.record_uid
            for r in tx.execute(
                sa.select(link.c.record_uid).where(
                    link.c.connection == plug.name,
                    link.c.native_kind == rec.kind,
                    link.c.record_uid.in_([s.uid for s in same]),
                )
            )
        }
        if len(same) == 1 and same[0].uid not in taken:
            return same[0].uid, False
    desk = desk_of(world, tx, plug, rec, cause)
    if kind == "deal" and (uid := matching.deal_of(world, tx, plug, rec, found, desk)) is not None:
        return uid, False
    if kind in ("contact", "company") and found.client and (uid := known_card(tx, desk, plug, rec, kind, found)):
        return uid, False
    return _make(world, tx, kind), True


def _make(world: World, tx: Connection, kind: str) -> str:
    uid = new_uid()
    now = world.now()
    tx.execute(record.insert().values(uid=uid, kind=kind, data={}, created_at=now, updated_at=now))
    return uid


def _product_of_offer(world: World, tx: Connection, plug: Plug, fields: Mapping[str, Any], cause: Cause) -> str:
    """The product that an offer belongs to. A variant of which only the product itself is known is made from the offer."""
    kinds = [n for n, lens in plug.mapping.lenses.items() if lens.kind == "product"]
    wanted = str(fields.get("product"))
    # Some writers list only the bare product in the catalogue, and its variants (GUID#GUID) in the offers
    rows = tx.execute(
        sa.select(link.c.external_id, link.c.record_uid).where(
            link.c.connection == plug.name,
            link.c.native_kind.in_(kinds),
            link.c.external_id.in_([wanted, wanted.split("#")[0]]),
        )
    )
    uids = {r.external_id: r.record_uid for r in rows}
    if wanted in uids:
        return str(uids[wanted])
    if not uids:
        raise offers.no_product(fields.get("product"))
    uid = _make(world, tx, "product")
    data = {k: fields[k] for k in ("name", "sku") if k in fields} | {"variant_of": wanted.split("#")[0], "active": True}
    tx.execute(record.update().where(record.c.uid == uid).values(data=data, **columns("product", data)))
    note(tx, uid, "product", plug.name, "created", data, world.now(), cause, plug.name)
    tx.execute(
        link.insert().values(
            connection=plug.name,
            native_kind=kinds[0],
            external_id=wanted,
            record_uid=uid,
            base={},
            state="linked",
            first_seen=world.now(),
        )
    )
    return uid


def _remember(
    world: World, tx: Connection, plug: Plug, rec: Record, uid: str, digest: bytes, known: Any, cause: Cause
) -> int:
    """The link with its shadow: what the other side showed last. Gives the link's id."""
    now = world.now()
    values: dict[str, Any] = {
        "version": rec.version,
        "shadow": rec.data,
        "shadow_hash": digest,
        "state": "linked",
        "deleted_at": now if rec.deleted else None,
        "told": now if rec.deleted and cause.sure else None,
    }
    if known is None:
        return int(
            tx.execute(
                link.insert()
                .values(
                    connection=plug.name,
                    native_kind=rec.kind,
                    external_id=rec.id,
                    record_uid=uid,
                    base={},
                    first_seen=now,
                    **values,
                )
                .returning(link.c.id)
            ).scalar_one()
        )
    tx.execute(_OF_LINK, {"this": known.id, **values})
    if known.state == "offered":  # it came back with our number: it is there, confirmed or not
        place = (intent.c.connection == plug.name, intent.c.native_kind == rec.kind, intent.c.state == "offered")
        for offer in tx.execute(sa.select(intent).where(intent.c.record_uid == uid, *place)).all():
            confirmed(world, tx, offer, cause)
    return int(known.id)


def _first_values(
    world: World, tx: Connection, plug: Plug, uid: str, kind: str, fields: dict[str, Any], cause: Cause, link_id: int
) -> dict[str, Any]:
    """A record made now is what its first side says; the journal begins with all of it. Gives the record's values."""
    data = dict(fields)
    if kind == "deal":
        data.setdefault("pipeline", world.config.pipeline().name)
        if data.get("stage") is None:
            data["stage"] = world.config.pipeline().stages[0].name
        data["currency"] = data.get("currency") or world.config.hub.currency
    if kind == "lead":
        data.setdefault("status", "new")
    tx.execute(record.update().where(record.c.uid == uid).values(data=data, **columns(canonical_kind(kind), data)))
    note(tx, uid, canonical_kind(kind), plug.name, "created", data, world.now(), cause, plug.name, link_id)
    return data


def name_problems(
    world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, uid: str, cause: Cause
) -> None:
    """Fields that could not be read are named; the rest of the record goes on without them."""
    if not found.problems:
        trouble.passed(tx, plug.name, rec.kind, rec.id, world.now())
        return
    first = found.problems[0]
    more = len(found.problems) - 1
    where = f"{first.field} ({first.path} = {first.value!r})"
    error = RecordRefused(
        Text(
            f"{where}: {first.text.en}{f' (and {more} more fields)' if more else ''} The rest of the record was taken.",
            f"{where}: {first.text.ru}{f' (и ещё полей: {more})' if more else ''} Остальное принято.",
        ),
        code="mapping.value",
        field=first.field,
        remedy=Text(
            "Add the value to the mapping's table, then retry.", "Добавьте значение в таблицу соответствий и повторите."
        ),
    )
    kept = {"kind": rec.kind, "id": rec.id, "data": rec.data, "version": rec.version, "deleted": rec.deleted}
    trouble.refuse(
        tx, plug.name, rec.kind, rec.id, error, world.now(), record_uid=uid, inbox_id=cause.inbox_id, data=kept
    )


def _event(
    world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, uid: str, verdict: Verdict, cause: Cause
) -> None:
    """The contact event of a lead or order, and the task that a new lead gets."""
    if found.kind not in ("lead", "deal") or plug.role == "accounting":
        return
    event = found.event or {"type": event_type(found)}
    key = event_key_once(plug, rec, event)
    where = {"deal": uid} if found.kind == "deal" else {"lead": uid}
    events.log(world, tx, plug, key, event, verdict, cause, **where)
    if found.kind == "lead":
        events.call_task(world, tx, uid, verdict.client, found.fields.get("created_at") or world.now())


def event_key_once(plug: Plug, rec: Record, event: Mapping[str, Any]) -> str:
    """A lead or an order is one event however often its record changes."""
    return f"{plug.name}:{rec.kind}:{rec.id}:{event.get('type', '')}"


def _activity(
    world: World,
    tx: Connection,
    plug: Plug,
    rec: Record,
    found: Translated,
    digest: bytes,
    known: Any,
    cause: Cause,
) -> Absorbed:
    """A letter, call or meeting: an event and nothing else. Its link keeps the hash, so that it is not read twice."""
    event = {**found.event, **found.fields}
    key = events.event_key(plug, rec.kind, rec.id, event)
    uid = events.find(world, tx, key) or new_uid()
    desk = desk_of(world, tx, plug, rec, cause)
    verdict = desk.identify(uid, "activity", said.of_event(found.client, event), event.get("at") or world.now())
    _, logged = events.log(world, tx, plug, key, event, verdict, cause, uid=uid)
    renewed = known is not None and not logged and events.renew(tx, uid, event, verdict)
    _remember(world, tx, plug, rec, uid, digest, known, cause)
    if verdict.ignored == "nothing":
        error = NeedHuman(
            Text("Nothing in it says whose event this is.", "Неясно, к какому клиенту относится это событие."),
            code="client.none",
            field="client",
        )
        trouble.refuse(tx, plug.name, rec.kind, rec.id, error, world.now(), inbox_id=cause.inbox_id)
    else:
        name_problems(world, tx, plug, rec, found, uid, cause)
    return Absorbed("new" if logged else "changed" if renewed else "same")


def _open_targets(tx: Connection, uid: str) -> set[str]:
    return set(tx.execute(_TARGETS, {"record": uid}).scalars())
