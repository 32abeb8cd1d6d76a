"""What waits for a person's yes: listed, shown, approved, dropped. An approval names exactly what was seen; what has moved
since is planned again, and said so."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, SverkaError, Text
from sync.flow import approval, gate
from sync.hub import duplicates
from sync.hub.plans import plan as make_plan
from sync.hub.runtime import Hub
from sync.store.tables import intent, plan

SAVED = "asked"
BY_HAND = (SAVED, duplicates.REASON)  # whoever kept such a plan knows that it waits


def save(hub: Hub, found: dict[str, Any], only: str | None = None) -> str | None:
    """Keep a plan that `plans.plan` made, to be approved; its id, None when it would write nothing."""
    items = _items(found)
    if not items:
        return None
    with hub.store.begin() as tx:
        return approval.save(hub.world, tx, only or "", SAVED, gate.content_of(items), gate.mark_of(items))


def _items(found: dict[str, Any]) -> list[dict[str, Any]]:
    kept = ("connection", "kind", "op", "id", "hash", "title", "changes")
    return [{k: w[k] for k in kept} for w in found["writes"]]


def waiting(hub: Hub, everything: bool = False) -> list[dict[str, Any]]:
    """Plans that wait, oldest first, with their counts; `everything`: the last hundred, decided ones too."""
    query = sa.select(plan).order_by(plan.c.created_at.desc()).limit(100)
    if not everything:
        query = query.where(plan.c.state == "waiting")
    with hub.store.read() as tx:
        return [_brief(tx, row) for row in reversed(tx.execute(query).all())]


def approved(hub: Hub) -> list[str]:
    """The connections that have a plan to carry out."""
    query = sa.select(plan.c.connection).where(plan.c.state == "approved", plan.c.reason.in_(gate.REASONS))
    with hub.store.read() as tx:
        return [row.connection for row in tx.execute(query.distinct())]


def show(hub: Hub, id: str) -> dict[str, Any]:
    """One plan with all that it would do."""
    with hub.store.read() as tx:
        row = _find(tx, id)
        return {**_brief(tx, row), **row.content, "text": row.text, "who": row.who, "decided_at": row.decided_at}


def _brief(tx: Connection, row: Any) -> dict[str, Any]:
    content = row.content
    behind = 0
    if row.reason in gate.REASONS and row.state == "waiting":
        held = tx.execute(
            sa.select(sa.func.count())
            .select_from(intent)
            .where(intent.c.plan_id == row.id, intent.c.state == "planned")
        ).scalar_one()
        behind = max(0, held - len(content["items"]))
    return {
        "id": row.id,
        "connection": row.connection,
        "reason": row.reason,
        "state": row.state,
        "at": row.created_at,
        "counts": content.get("counts", {}),
        "behind": behind,  # planned since, not part of it
        "text": row.text,
    }


def approve(hub: Hub, id: str, who: str) -> dict[str, Any]:
    """Let a plan go: {id, connection, writes, moved}. NeedHuman when it is unknown, decided already, or has moved as a
    whole; a saved plan is made again first and must come out the same."""
    with hub.store.read() as tx:
        row = _find(tx, id)
    _must_wait(row)
    if row.reason == duplicates.REASON:
        return duplicates.approve(hub, row, who, lambda tx: _must_wait(_find(tx, id)))
    if row.reason == SAVED:
        _same_again(hub, row)
    with hub.store.begin() as tx:
        if row.reason in gate.REASONS:
            hub.store.lock_key(tx, f"gate:{row.connection}")
        row = _find(tx, id)
        _must_wait(row)
        intact = _intact(tx, row)
        if row.reason in gate.REASONS and not intact:
            gone = Text("None of its writes is planned any more.", "Ни одна из её записей больше не запланирована.")
            approval.stale(hub.world, tx, row.id, gone)
        else:
            values = {"state": "approved", "who": who, "decided_at": hub.now()}
            tx.execute(plan.update().where(plan.c.id == row.id).values(**values))
            if row.reason in (*gate.REASONS, SAVED):
                approval.trust(tx, {i["connection"] for i in row.content["items"]})
    names = {i["connection"] for i in row.content.get("items", [])} | ({row.connection} if row.connection else set())
    for name in names:
        hub.wake(name)
    if row.reason in gate.REASONS and not intact:
        raise _moved(row, None)
    moved = max(0, len(row.content.get("items", [])) - intact)
    return {"id": row.id, "connection": row.connection, "reason": row.reason, "writes": intact, "moved": moved}


def drop(hub: Hub, id: str, who: str) -> dict[str, Any]:
    """Refuse a plan: what it holds is not written. A record that changes later is planned anew."""
    with hub.store.begin() as tx:
        row = _find(tx, id)
        _must_wait(row)
        values = {"state": "dropped", "who": who, "decided_at": hub.now(), "closed_at": hub.now()}
        tx.execute(plan.update().where(plan.c.id == row.id).values(**values))
        held = intent.update().where(intent.c.plan_id == row.id, intent.c.state == "planned")
        number = tx.execute(held.values(state="dropped", done_at=hub.now())).rowcount
    return {"id": row.id, "connection": row.connection, "dropped": number}


def _find(tx: Connection, id: str) -> Any:
    row = tx.execute(sa.select(plan).where(plan.c.id == id.strip().lower())).first()
    if row is None:
        raise NeedHuman(
            Text(
                f"There is no plan {id!r}. `sverka approve` lists what waits.",
                f"Плана {id!r} нет. Что ждёт подтверждения, покажет `sverka approve`.",
            ),
            code="plan.gone",
        )
    return row


_STATES = {
    "approved": Text("was approved already", "уже подтверждён"),
    "applied": Text("was approved and carried out already", "уже подтверждён и выполнен"),
    "dropped": Text("was dropped", "отклонён"),
    "stale": Text("is out of date", "устарел"),
}


def _must_wait(row: Any) -> None:
    if row.state == "waiting":
        return
    state, more = _STATES[row.state], row.text or {"en": "", "ru": ""}
    raise NeedHuman(
        Text(
            f"The plan {row.id} {state.en}. {more['en']}".strip(),
            f"План {row.id} {state.ru}. {more['ru']}".strip(),
        ),
        code=f"plan.{row.state}",
        remedy=Text("`sverka approve` lists what waits.", "Что ждёт подтверждения, покажет `sverka approve`."),
    )


def _intact(tx: Connection, row: Any) -> int:
    """How many of its writes are still exactly what it lists."""
    if row.reason not in gate.REASONS:
        return int(row.content.get("count", len(row.content.get("items", []))))
    held = sa.select(intent).where(intent.c.plan_id == row.id, intent.c.state == "planned")
    now = Counter(told["hash"] for told in gate.items(tx, tx.execute(held).all()))
    return (now & Counter(i["hash"] for i in row.content["items"])).total()


def _same_again(hub: Hub, row: Any) -> None:
    """Make a saved plan again. Where another one comes out it takes the old one's place, and the error says what moved."""
    found = make_plan(hub, row.connection or None)
    for error in found["errors"].values():
        raise NeedHuman(
            Text(
                f"The plan could not be made again: {error['en']}", f"Построить план заново не удалось: {error['ru']}"
            ),
            code="plan.unreadable",
        )
    items = _items(found)
    if gate.mark_of(items) == row.hash:
        return
    with hub.store.begin() as tx:
        if items:
            fresh = approval.save(
                hub.world, tx, row.connection, SAVED, gate.content_of(items), gate.mark_of(items), instead_of=row
            )
        else:
            fresh = None
            text = Text("Nothing of it is left to write.", "Из этого плана записывать больше нечего.")
            approval.stale(hub.world, tx, row.id, text)
    raise _moved(row, fresh, items)


def _moved(row: Any, fresh: str | None, items: list[dict[str, Any]] | None = None) -> SverkaError:
    before = Counter(i["hash"] for i in row.content["items"])
    after = Counter(i["hash"] for i in items or [])
    gone, new = (before - after).total(), (after - before).total()
    titles = [str(i["title"]) for i in [*row.content["items"], *(items or [])] if after[i["hash"]] != before[i["hash"]]]
    names = ", ".join(dict.fromkeys(titles[:5]))
    follow_en = f"The plan now is {fresh}." if fresh else "What is still wanted is planned again."
    follow_ru = f"Теперь действует план {fresh}." if fresh else "Что ещё нужно, планируется заново."
    return NeedHuman(
        Text(
            f"The plan {row.id} has moved and nothing of it was done: {gone} of its writes are not the same any more, "
            f"{new} are new ({names}). {follow_en}",
            f"План {row.id} устарел, ничего не выполнено: изменилось записей — {gone}, новых — {new} ({names}). "
            f"{follow_ru}",
        ),
        code="plan.moved",
        remedy=Text(
            f"Look and approve that: sverka approve {fresh}" if fresh else "`sverka approve` lists what waits.",
            f"Посмотрите и подтвердите его: sverka approve {fresh}"
            if fresh
            else "Что ждёт подтверждения, покажет `sverka approve`.",
        ),
    )
