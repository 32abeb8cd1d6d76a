"""Client bases of several systems that came together: which cards are one client, as one plan that a person approves.

Nothing is merged by itself. What a plan would merge at once is capped by `[limits]`, as a whole. Its merges are ordinary ones
(see sync/identity/merging.py), made in one transaction and one run: each is taken back by `sverka client unmerge`, all of
them by `sverka undo RUN`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, SverkaError, Text
from sync.flow import approval, gate
from sync.flow.plug import Cause
from sync.flow.whose import ranks_of
from sync.hub import merges
from sync.hub.runs import running
from sync.hub.runtime import Hub
from sync.identity import duplicates, merging
from sync.identity.cards import DEFAULT_SCHEMA, read
from sync.identity.duplicates import Client, Found, Joined
from sync.store.tables import identity_job, link, never_pair, plan, record, review, setting
from sync.store.tables import merge as merge_rows

REASON = "duplicates"
RULE = "dedupe"
_SEEN = "identity.duplicates"  # how many the last look found: {number, merges, clients}
_KINDS = {"contact": "person", "company": "company"}
_FEW = 100_000  # clients that are looked at without being asked to; of more a person asks: sverka identity duplicates


def find(hub: Hub) -> dict[str, Any]:
    """What would be merged now; changes nothing. {clients, merges, groups: [{kind, kept, cards: [{uid, name, systems, why,
    rule}]}], apart: [{names, why}], counts, over: why it is too much at once, else None}."""
    with hub.store.read() as tx:
        return _told(hub, *_look(hub, tx))


def save(hub: Hub) -> str | None:
    """Keep today's plan, to be approved; its id, None when nothing would be merged. NeedHuman over the cap."""
    with hub.store.begin() as tx:
        clients, found = _look(hub, tx)
        items = _items(found)
        _capped(hub, len(clients), len(items))
        if not items:
            return None
        hub.store.lock_key(tx, f"plan::{REASON}")
        last = approval.newest(tx, "", REASON)
        if last is not None and last.state == "waiting" and last.hash == gate.mark_of(items):
            return str(last.id)
        return approval.save(hub.world, tx, "", REASON, _content(items), gate.mark_of(items), instead_of=last)


def approve(hub: Hub, row: Any, who: str, still_waits: Callable[[Connection], None]) -> dict[str, Any]:
    """Merge exactly what the waiting plan lists, as one run. NeedHuman, and nothing is merged: what would be merged is
    something else now (that plan takes the old one's place), it is more than the cap allows, or `still_waits` says that
    somebody else was first."""
    with running(hub.world, "hub", f"{REASON} {row.id}") as run:
        moved = None
        with hub.store.begin() as tx:
            hub.store.lock_key(tx, "identity:merge")
            still_waits(tx)
            clients, found = _look(hub, tx)
            items = _items(found)
            if gate.mark_of(items) != row.hash:
                moved = _moved(hub, tx, row, items)
                run.waits(moved)
            else:
                _capped(hub, len(clients), len(items))
                run.counts.add("changed", _apply(hub, tx, found, who, Cause(run.id)))
                decided = {"state": "applied", "who": who, "decided_at": hub.now(), "closed_at": hub.now()}
                tx.execute(plan.update().where(plan.c.id == row.id, plan.c.state == "waiting").values(**decided))
                tx.execute(setting.delete().where(setting.c.key == _SEEN))
    if moved is not None:
        raise moved
    hub.wake("")
    return {"id": row.id, "connection": "", "reason": REASON, "writes": len(items), "moved": 0, "run": run.id}


def _apply(hub: Hub, tx: Connection, found: Found, who: str, cause: Cause) -> int:
    number = 0
    for one in (one for group in found.groups for one in group):
        now = hub.now()
        kept, gone = one.kept.card.id, one.gone.card.id
        change = merging.merge(hub.store, tx, kept, gone, rule=RULE, why=one.text, who=who, now=now)
        merges.follow(hub, tx, change, who, cause, now)
        number += 1
    return number


# -- how many wait ----------------------------------------------------------------------------------------------------------


def waiting(hub: Hub) -> int:
    """Cards that the last look found to be somebody's who is known by another one already."""
    with hub.store.read() as tx:
        seen = tx.execute(sa.select(setting.c.value).where(setting.c.key == _SEEN)).scalar()
    return int(seen["number"]) if seen else 0


def look(hub: Hub) -> None:
    """Count them anew where clients or merges have come or gone since. What is counted is only told, never done."""
    with hub.store.read() as tx:
        seen = tx.execute(sa.select(setting.c.value).where(setting.c.key == _SEEN)).scalar()
        now = {"clients": _count(tx, record, *_of_clients()), "merges": _count(tx, merge_rows)}
        now["never"] = _count(tx, never_pair, never_pair.c.state == "stands")
        if now["clients"] > _FEW or (seen is not None and {name: seen.get(name) for name in now} == now):
            return
        found = _look(hub, tx)[1]
    with hub.store.begin() as tx:
        hub.store.lock_key(tx, _SEEN)
        tx.execute(setting.delete().where(setting.c.key == _SEEN))
        tx.execute(setting.insert().values(key=_SEEN, value={**now, "number": len(_items(found))}))


def _count(tx: Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


# -- reading ----------------------------------------------------------------------------------------------------------------


def _of_clients() -> tuple[sa.ColumnElement[bool], ...]:
    return record.c.kind.in_(merging.KINDS), record.c.merged_into.is_(None)


def _look(hub: Hub, tx: Connection) -> tuple[list[Client], Found]:
    clients = list(_clients(hub, tx))
    stands = sa.select(never_pair.c.card, never_pair.c.other).where(
        never_pair.c.state == "stands", never_pair.c.other.is_not(None)
    )
    pairs = [(r.card, r.other) for r in tx.execute(stands)]
    merged = sa.select(record.c.uid, record.c.merged_into).where(record.c.merged_into.is_not(None))
    today = {r.uid: r.merged_into for r in tx.execute(merged)}
    return clients, duplicates.find(clients, [(today.get(a, a), today.get(b, b)) for a, b in pairs])


def _clients(hub: Hub, tx: Connection) -> Iterator[Client]:
    """Everybody who is known by a card of his own, and of whom nothing is asked; not what is deleted in its system."""
    ranks, country = ranks_of(hub.world), hub.config.hub.country
    systems: dict[str, set[str]] = {}
    theirs = sa.select(link.c.record_uid, link.c.connection).join(record, record.c.uid == link.c.record_uid)
    live = (link.c.state == "linked", link.c.deleted_at.is_(None), record.c.kind.in_(merging.KINDS))
    for row in tx.execute(theirs.where(*live)):
        systems.setdefault(row.record_uid, set()).add(row.connection)
    folded: dict[str, list[Any]] = {}
    for row in tx.execute(sa.select(record).where(record.c.kind.in_(merging.KINDS), record.c.merged_into.is_not(None))):
        folded.setdefault(row.merged_into, []).append(row)
    deals = dict(_pairs(tx, sa.select(record.c.client_uid, sa.func.count()).group_by(record.c.client_uid)))
    employer = record.alias("employer")
    jobs = sa.select(identity_job.c.person, employer.c.title).join(employer, employer.c.uid == identity_job.c.company)
    work = dict(_pairs(tx, jobs.where(identity_job.c.until == "").order_by(identity_job.c.since)))
    asked = set(tx.execute(sa.select(review.c.record_uid).where(review.c.state == "open")).scalars())
    for number, row in enumerate(tx.execute(sa.select(record).where(*_of_clients()).order_by(record.c.uid))):
        if row.held or row.uid in asked or row.data.get("archived"):
            continue
        cards = [row, *folded.get(row.uid, ())]
        mine = frozenset(name for card in cards for name in systems.get(card.uid, ()))
        data = merging.golden_card(cards) if len(cards) > 1 else row.data
        rank = (min((ranks.get(n, len(ranks)) for n in mine), default=99), -deals.get(row.uid, 0), row.created_at)
        fields = {
            "id": row.uid,
            "source": ",".join(sorted(mine)),
            "kind": _KINDS[row.kind],
            "name": data.get("name") or row.title or "",
            "phone": "; ".join(data.get("phones") or ()),
            "email": "; ".join(data.get("emails") or ()),
            "inn": data.get("inn") or "",
            "company_name": "" if row.kind == "company" else work.get(row.uid) or "",
        }
        card = read(fields, DEFAULT_SCHEMA, number, country)
        yield Client(card, (*rank, row.uid), row.title or fields["name"] or row.uid, data.get("kpp") or "", mine)


def _pairs(tx: Connection, query: sa.Select[Any]) -> list[tuple[Any, Any]]:
    return [(row[0], row[1]) for row in tx.execute(query)]


# -- telling ----------------------------------------------------------------------------------------------------------------


def _told(hub: Hub, clients: list[Client], found: Found) -> dict[str, Any]:
    items = _items(found)
    over = _over(hub, len(clients), len(items))
    return {
        "clients": len(clients),
        "merges": len(items),
        "counts": _content(items)["counts"],
        "groups": [_group(group) for group in found.groups],
        "apart": [
            {"cards": [p.a.card.id, p.b.card.id], "names": [p.a.title, p.b.title], "why": _both(p.text)}
            for p in found.apart
        ],
        "over": _both(over) if over else None,
    }


def _group(group: list[Joined]) -> dict[str, Any]:
    kept = group[0].kept
    cards = [{**_card(one.gone), "why": _both(one.text), "rule": one.rule} for one in group]
    return {"kind": _kind(kept), "kept": _card(kept), "cards": cards}


def _card(client: Client) -> dict[str, Any]:
    return {"uid": client.card.id, "name": client.title, "systems": sorted(client.systems)}


def _kind(client: Client) -> str:
    return "company" if client.card.kind == "company" else "contact"


def _items(found: Found) -> list[dict[str, Any]]:
    """The merges as a plan lists them; the hash says who becomes whom, and on what evidence a person approved it."""
    return [_item(one) for group in found.groups for one in group]


def _content(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "counts": dict(Counter(f"merge {item['kind']}" for item in items))}


def _item(one: Joined) -> dict[str, Any]:
    said = {"connection": "", "kind": _kind(one.kept), "op": "merge", "id": one.gone.card.id}
    more = {"into": one.kept.card.id, "title": one.gone.title, "why": _both(one.text)}
    changes = {"client": [one.gone.title, one.kept.title]}
    return {**said, **more, "hash": approval.digest({**said, **more, **changes})[:32], "changes": changes}


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "ru": text.ru}


def _moved(hub: Hub, tx: Connection, row: Any, items: list[dict[str, Any]]) -> SverkaError:
    """The plan is out of date; what would be merged now takes its place."""
    before, after = (Counter(i["hash"] for i in some) for some in (row.content["items"], items))
    gone, new = (before - after).total(), (after - before).total()
    fresh = None
    if items:
        fresh = approval.save(hub.world, tx, "", REASON, _content(items), gate.mark_of(items), instead_of=row)
    else:
        nothing = Text("Nothing of it is left to merge.", "Из этого плана объединять больше нечего.")
        approval.stale(hub.world, tx, row.id, nothing)
    now = Text(f"The plan now is {fresh}.", f"Теперь действует план {fresh}.") if fresh else Text("", "")
    return NeedHuman(
        Text(
            f"The plan {row.id} has moved and nobody was merged: {gone} of its merges are not the same any more, "
            f"{new} are new. {now.en}".rstrip(),
            f"План {row.id} устарел, никто не объединён: изменилось объединений — {gone}, новых — {new}. {now.ru}".rstrip(),
        ),
        code="plan.moved",
        remedy=Text(
            f"Look, then approve that: sverka approve {fresh}", f"Посмотрите и подтвердите: sverka approve {fresh}"
        )
        if fresh
        else None,
    )


def _over(hub: Hub, clients: int, number: int) -> Text | None:
    """Why so many merges at once are refused; None when they are within the cap."""
    limits = hub.config.limits
    most = max(limits.merges, clients * limits.merges_percent // 100)
    if number <= most:
        return None
    return Text(
        f"It would merge {number} of {clients} clients at once; limits.merges and limits.merges_percent allow {most}. "
        "Nobody is merged. Look at the groups; if they are right, raise the limit.",
        f"Разом объединилось бы {number} из {clients} клиентов; limits.merges и limits.merges_percent разрешают {most}. "
        "Никто не объединён. Посмотрите группы; если они верны, поднимите предел.",
    )


def _capped(hub: Hub, clients: int, number: int) -> None:
    if over := _over(hub, clients, number):
        raise NeedHuman(over, code="duplicates.too_many", setting="limits.merges")
