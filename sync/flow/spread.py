"""From one system into others: which records a flow creates elsewhere, and what a system that fetches is offered.

Only a flow creates a record in a system, and what that refers to: the client before their deal, where the mapping asks for
the client's id. At most one CRM holds a deal: the first matching flow wins. Goods that nobody on the other side knows make
the order wait with its reason; no product is ever created there implicitly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.config import Flow, When
from sync.delivery import intents
from sync.errors import NeedHuman, SverkaError
from sync.flow import dependencies, goods, references, trouble
from sync.flow.plug import Cause, Plug, World
from sync.flow.stages import meant, title_of
from sync.flow.weave import note, typed
from sync.identity import merging
from sync.identity.golden import named_by_domain
from sync.lens import Lens
from sync.model.compare import same
from sync.reconcile.rows import in_our_words
from sync.store.asked import THIS
from sync.store.tables import intent, link, record
from sync.store.types import dumps

_NUMBER_LENGTH = 11  # the shortest number field of the systems that fetch
_RECORD = sa.select(record).where(record.c.uid == THIS)
_LINKS = sa.select(link).where(link.c.record_uid == THIS).order_by(link.c.id)
_CREATED_NOW = sa.select(intent.c.connection).where(
    intent.c.record_uid == THIS, intent.c.op == "create", intent.c.state.not_in(("done", "dropped"))
)


def spread(world: World, tx: Connection, uid: str, cause: Cause) -> int:
    """Plan the creations and offers that the flows want for this record; gives the number of new ones."""
    row = tx.execute(_RECORD, {"this": uid}).one()
    links = list(tx.execute(_LINKS, {"this": uid}))
    sources = {one.connection for one in links if one.state != "offered"}
    crms = _crms(world, tx, uid, sources)
    planned = 0
    for flow in world.config.flows:
        target = world.plugs.get(flow.target)
        if flow.kind != row.kind or target is None or flow.source not in sources:
            continue
        if target.role == "crm":
            if crms and flow.target not in crms:
                continue
            if wanted(flow.create, typed(row.kind, row.data)):
                crms.add(flow.target)
        native = next((n for n, lens in target.mapping.lenses.items() if lens.kind == row.kind), None)
        if native is not None:
            planned += _one(world, tx, row, links, flow, target, native, cause)
    return planned


def _crms(world: World, tx: Connection, uid: str, sources: set[str]) -> set[str]:
    """The CRMs that hold the record, or are about to."""
    under_way = tx.execute(_CREATED_NOW, {"this": uid})
    names = sources | {r.connection for r in under_way}
    return {n for n in names if n in world.plugs and world.plugs[n].role == "crm"}


def wanted(create: str | When, data: Mapping[str, Any]) -> bool:
    """Whether a flow's `create` lets this record be made on the other side."""
    if not isinstance(create, When):
        return create == "always"
    value, other = data.get(create.field), create.value
    match create.op:
        case "eq":
            return bool(value == other)
        case "ne":
            return bool(value != other)
        case "in":
            return value in (other or [])
        case "empty":
            return value in (None, "", [], {})
        case "filled":
            return value not in (None, "", [], {})
        case "gt":
            return value is not None and value > type(value)(other)
        case _:
            return value is not None and value < type(value)(other)


def _one(
    world: World,
    tx: Connection,
    row: Any,
    links: list[Any],
    flow: Flow,
    target: Plug,
    native: str,
    cause: Cause,
) -> int:
    capabilities = target.adapter.capabilities
    offers = native in capabilities.offers
    there = next((k for k in links if k.connection == target.name and k.native_kind == native), None)
    data = typed(row.kind, row.data)
    if there is None and not wanted(flow.create, data):
        return 0
    if there is None and row.data.get("archived") and target.name in world.config.deleted_in(row.kind):
        return 0  # what would be deleted there is not made there first
    there_once = there is not None and not _made_again(tx, there)
    if not offers and (there_once or native not in capabilities.creates):
        return _its_client(world, tx, row, target, there, cause)
    number = there.number if there is not None else _free_number(tx, world, target, native, row, links)
    lens = target.mapping.lens(native)
    try:
        native_data = outgoing(world, tx, row, data, target, lens, number, links)
        needs = None if offers else dependencies.both_first(world, tx, row, target, lens, cause)
    except SverkaError as error:
        trouble.refuse(
            tx,
            target.name,
            native,
            row.uid,
            error,
            world.now(),
            stage="delivery",
            record_uid=row.uid,
            inbox_id=cause.inbox_id,
        )
        return 0
    if offers and _offered_already(world, tx, row, data, target, lens, there, native_data, links):
        if not _refused(tx, row.uid, target.name, native):
            trouble.passed(tx, target.name, native, row.uid, world.now(), "delivery")
        return 0
    made = give(world, tx, row, target, native, lens, native_data, data, number, there is None, needs, cause)
    if made:  # what it waited for has come, or it is another one than was refused
        trouble.passed(tx, target.name, native, row.uid, world.now(), "delivery")
    return 1 if made else 0


def _made_again(tx: Connection, there: Any) -> bool:
    """Whether its record was deleted there and is about to be made again: with the values that stand when it is made."""
    place = (intent.c[n] == getattr(there, n) for n in ("record_uid", "connection", "native_kind"))
    query = sa.select(intent.c.id).where(*place, intent.c.op == "create", intent.c.state == "planned")
    return there.deleted_at is not None and tx.execute(query).first() is not None


def _its_client(world: World, tx: Connection, row: Any, target: Plug, there: Any, cause: Cause) -> int:
    """The client of a record that is there, where it is to refer to them and they are not there (any more); 1 when planned."""
    if there is None or references.wanted(world, tx, row, there) is not None:
        return 0
    try:
        return int(
            bool(dependencies.client_first(world, tx, row, target, target.mapping.lens(there.native_kind), cause))
        )
    except NeedHuman:
        return 0  # it was tried, and waits in quarantine for itself


def give(
    world: World,
    tx: Connection,
    row: Any,
    target: Plug,
    native: str,
    lens: Lens,
    native_data: dict[str, Any],
    data: Mapping[str, Any],
    number: str | None,
    first: bool,
    needs: str | None,
    cause: Cause,
) -> str | None:
    """Plan the creation, or the offer under its number; the intent's id when it is a new one."""
    offers = native in target.adapter.capabilities.offers
    if first and offers:
        tx.execute(
            link.insert().values(
                connection=target.name,
                native_kind=native,
                external_id=number,
                record_uid=row.uid,
                state="offered",
                number=number,
                first_seen=world.now(),
            )
        )
    return intents.plan(
        tx,
        record_uid=row.uid,
        connection=target.name,
        native_kind=native,
        op="offer" if offers else "create",
        data=native_data,
        fields={k: v for k, v in data.items() if k in lens.fields},
        why={"*": "flow"},
        now=world.now(),
        number=number,
        run_id=cause.run_id,
        needs=needs,
    )


def confirmed(world: World, tx: Connection, offer: Any, cause: Cause) -> None:
    """The other side has what it was offered: the journal says what was given."""
    now = world.now()
    intents.finish(tx, offer.id, "done", now)
    trouble.passed(tx, offer.connection, offer.native_kind, offer.record_uid, now, "delivery")
    changes = {f: [None, v] for f, v in offer.fields.items() if f in ("number", "stage", "amount")}
    note(tx, offer.record_uid, "deal", offer.connection, "offered", changes, now, cause, "hub")


def outgoing(
    world: World,
    tx: Connection,
    row: Any,
    data: Mapping[str, Any],
    target: Plug,
    lens: Lens,
    number: str | None,
    links: list[Any],
) -> dict[str, Any]:
    """The native record for the other side, from the canonical one, its client, and the goods as they are known there."""
    view: dict[str, Any] = {**data, "uid": row.uid, "number": number or data.get("number")}
    if row.kind == "deal":
        view["stage_title"] = title_of(world.config.pipeline(data.get("pipeline")), data.get("stage"))
    if row.client_uid:
        client = _client_and_person(tx, row)
        view["client"] = {
            **client,
            "phone": next(iter(client.get("phones") or []), None),
            "email": next(iter(client.get("emails") or []), None),
            **references.ids_of(tx, row, target),
        }
    if data.get("lines"):
        view["lines"] = goods.lines_for(world, tx, data["lines"], links, target)
    return lens.create(view)


def _client_and_person(tx: Connection, row: Any) -> dict[str, Any]:
    """Of a company its own fields and the person who acts for it: whom to ask for, and how to reach him."""
    client = merging.golden_of(tx, row.client_uid)
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.client_uid)).scalar_one()
    if kind != "company":
        return client
    known = {} if named_by_domain(client.get("name") or "") else {"company": client.get("name")}
    if row.person_uid is None or row.person_uid == row.client_uid:
        return {**client, **known}
    person = merging.golden_of(tx, row.person_uid)
    lists = {f: [*(person.get(f) or []), *(client.get(f) or [])] for f in ("phones", "emails")}
    return {**client, **known, **{k: v for k, v in {"name": person.get("name"), **lists}.items() if v}}


def _free_number(tx: Connection, world: World, target: Plug, native: str, row: Any, links: list[Any]) -> str | None:
    """The number under which a system with short numbers shall know the record: the source's prefix and the number
    that people know, else the prefix and a counter. Once given it never changes."""
    if native not in target.adapter.capabilities.offers:
        return None
    # the first link is where the record came from
    source = next((world.plugs[k.connection] for k in links if k.connection in world.plugs), None)
    prefix = source.config.prefix if source else ""
    number = f"{prefix}{row.number or ''}"
    if row.number and len(number) <= _NUMBER_LENGTH and not _taken(tx, target.name, native, number):
        return number
    count = tx.execute(
        sa.select(sa.func.count())
        .select_from(link)
        .where(link.c.connection == target.name, link.c.native_kind == native)
    ).scalar_one()
    while True:
        count += 1
        number = f"{prefix}-{_base36(count)}"
        if not _taken(tx, target.name, native, number):
            return number


def _taken(tx: Connection, connection: str, native: str, number: str) -> bool:
    query = sa.select(link.c.id).where(
        link.c.connection == connection, link.c.native_kind == native, link.c.external_id == number
    )
    return tx.execute(query).first() is not None


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest] + digits
    return digits or "0"


def _refused(tx: Connection, uid: str, connection: str, native: str) -> bool:
    query = sa.select(intent.c.id).where(
        intent.c.record_uid == uid,
        intent.c.connection == connection,
        intent.c.native_kind == native,
        intent.c.state == "refused",
    )
    return tx.execute(query).first() is not None


def _offered_already(
    world: World,
    tx: Connection,
    row: Any,
    data: Mapping[str, Any],
    target: Plug,
    lens: Lens,
    there: Any,
    native_data: Mapping[str, Any],
    links: list[Any],
) -> bool:
    """Whether the newest offer says the same, or the newest that counted (confirmed or under way) differs from it by nothing
    but what the other side shows itself: its own word is not offered back to it, and an older wish that waits is taken back."""
    mine = (
        intent.c.record_uid == row.uid,
        intent.c.connection == target.name,
        intent.c.native_kind == lens.native,
        intent.c.op == "offer",
    )
    query = sa.select(intent).where(*mine, intent.c.state.in_(("done", "offered", "planned")))
    last = tx.execute(query.order_by(intent.c.id.desc()).limit(2)).all()
    if last and dumps(last[0].data) == dumps(dict(native_data)):
        return True
    counted = next((one for one in last if one.state != "planned"), None)
    if counted is None or not _its_own_word(world, tx, row, data, target, lens, there, links, counted):
        return False
    if last[0].state == "planned":
        tx.execute(intent.update().where(intent.c.id == last[0].id).values(state="dropped", done_at=world.now()))
    return True


def _its_own_word(
    world: World,
    tx: Connection,
    row: Any,
    data: Mapping[str, Any],
    target: Plug,
    lens: Lens,
    there: Any,
    links: list[Any],
    offer: Any,
) -> bool:
    """Whether the record differs from what was offered by nothing but what the other side shows itself."""
    if there is None or there.shadow is None:
        return False
    before, shown = typed(row.kind, offer.fields), lens.get(there.shadow).fields
    if "stage" in shown:
        shown["stage"] = meant(lens, world.config.pipeline(data.get("pipeline")), shown, before.get("stage"))
    said = {f: before[f] for f in before.keys() & shown.keys() & data.keys() if _shows(f, data[f], shown[f], lens)}
    said = {f: value for f, value in said.items() if not same(f, value, data[f])}
    # what nobody knew when it was offered, as facts of accounting: whether it is paid or cancelled
    news = {f for f in (shown.keys() & data.keys()) - before.keys() if _shows(f, data[f], shown[f], lens)}
    if not said and not news:
        return False
    known = {f: value for f, value in data.items() if f not in news}
    try:
        back = outgoing(world, tx, row, {**known, **said}, target, lens, there.number, links)
    except SverkaError:
        return False
    return dumps(back) == dumps(offer.data)


def _shows(field: str, value: Any, shown: Any, lens: Lens) -> bool:
    if field in lens.row_kinds and value and shown:
        shown = in_our_words(value, shown, lens.row_kinds[field])
    return same(field, value, shown)
