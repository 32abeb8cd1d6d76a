"""The review queue: whose is it? A person says so once, for everybody, and every answer can be taken back.

Meanwhile the events lie on a holding card, which is shown like any client. *link*: the card is that client (a merge); *new*: it
is a client of its own; *never*: it is one, and never that client. Nothing is written before an answer is known to be
possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, Text
from sync.flow import events
from sync.flow.plug import Cause
from sync.flow.weave import note
from sync.flow.whose import own_of
from sync.hub import merges
from sync.hub.runtime import Hub
from sync.identity import evidence, merging, observed
from sync.identity.index import Index, Profile
from sync.store.tables import activity, belongs, record, review
from sync.store.tables import merge as merge_rows
from sync.store.types import stamp

ANSWERS = ("link", "new", "never")
_EVENTS = 5  # shown with a question
_WHY = Text("answer to a question", "ответ на вопрос")


# -- what is asked ----------------------------------------------------------------------------------------------------------


def questions(hub: Hub, *, decided: bool = False, limit: int = 200) -> list[dict[str, Any]]:
    """Open questions, oldest first, or the newest decided ones: {id, kind, record_uid, title, reason, candidates, events,
    state, decision, created_at}. Of a candidate it is said who he is today, and where people have said «never»."""
    order = review.c.id.desc() if decided else review.c.id
    query = (
        sa.select(review, record.c.title, record.c.kind)
        .join(record, record.c.uid == review.c.record_uid)
        .where(review.c.state == ("decided" if decided else "open"))
        .order_by(order)
        .limit(limit)
    )
    with hub.store.read() as tx:
        rows = tx.execute(query).all()
        return [_shown(tx, row) for row in rows]


def _shown(tx: Connection, row: Any) -> dict[str, Any]:
    found = {str.__str__(name): value for name, value in row._mapping.items()}
    found["candidates"] = _candidates(tx, row)
    shown = (
        activity.c.uid,
        activity.c.type,
        activity.c.at,
        activity.c.subject,
        activity.c.text,
        activity.c.connection,
    )
    latest = sa.select(*shown).where(activity.c.client_uid == row.record_uid)
    rows = tx.execute(latest.order_by(activity.c.at.desc(), activity.c.uid).limit(_EVENTS))
    found["events"] = [{str.__str__(n): v for n, v in r._mapping.items()} for r in rows]
    return found


def _candidates(tx: Connection, row: Any) -> list[dict[str, Any]]:
    """Those to choose from, as they are known today: a card that was merged stands for its client, and each stands once."""
    today = merging.clients_of(tx, [c["uid"] for c in row.candidates])
    query = sa.select(record.c.uid, record.c.title, record.c.kind).where(record.c.uid.in_(today.values()))
    known = {r.uid: r for r in tx.execute(query)}
    found: dict[str, dict[str, Any]] = {}
    for one in row.candidates:
        uid = today[one["uid"]]
        name = (known[uid].title if uid in known else None) or one.get("name")
        kind = known[uid].kind if uid in known else None
        shown = found.setdefault(uid, {**one, "uid": uid, "name": name, "kind": kind})
        if "never" not in one:
            shown.pop("never", None)
    return list(found.values())


# -- answers ----------------------------------------------------------------------------------------------------------------


def decide(hub: Hub, review_id: int, answer: str, who: str, client: str | None = None) -> dict[str, Any]:
    """Answer a question: {id, choice, client}. "link" wants the client; "never" may name one of several candidates, and the
    question stays open for the others.

    NeedHuman, and nothing is written: the question has gone, the answer is none, the client is unknown, has been merged into
    another one meanwhile, or people said «never» of these two.
    """
    with hub.store.begin() as tx:
        row = _open(tx, review_id)
        if answer not in ANSWERS or (answer == "link" and not client):
            raise _choice(row)
        kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.record_uid)).scalar_one()
        if kind in ("deal", "lead"):
            decision: dict[str, Any] | None = _which_lead(hub, tx, row, answer, client, who)
        elif answer == "link":
            decision = _link(hub, tx, row, str(client), who)
        elif answer == "never":
            decision = _never(hub, tx, row, client, who)
        else:
            decision = _new(hub, tx, row)
        if decision is not None:
            values = {
                "state": "decided",
                "decision": {"choice": answer, "who": who, **decision},
                "closed_at": hub.now(),
            }
            tx.execute(review.update().where(review.c.id == review_id).values(**values))
    hub.wake("")
    return {"id": review_id, "choice": answer, "client": (decision or {}).get("client"), "open": decision is None}


def take_back(hub: Hub, review_id: int, who: str) -> dict[str, Any]:
    """The answer counts no more and the question is open again. NeedHuman where there is none, or something rests on it."""
    with hub.store.begin() as tx:
        row = tx.execute(sa.select(review).where(review.c.id == review_id).with_for_update()).first()
        if row is None or (row.state != "decided" and not any("never" in c for c in row.candidates)):
            raise NeedHuman(
                Text(
                    f"Question {review_id} has no answer that could be taken back.",
                    f"У вопроса {review_id} нет ответа, который можно отменить.",
                ),
                code="review.unanswered" if row is not None else "review.gone",
            )
        decision = row.decision or {}
        if decision.get("final"):
            raise NeedHuman(
                Text(
                    "The lead has become this deal in the other systems as well: change it there.",
                    "Лид уже стал этой сделкой и в других системах: измените это там.",
                ),
                code="review.final",
            )
        if decision.get("merge"):
            merges.part(hub, tx, decision["merge"], who)
        elif row.state == "decided":
            _ask_again(hub, tx, row, decision, who)
        never = [c["never"]["id"] for c in row.candidates if "never" in c]
        merging.allow(tx, [id for id in never if id], who=who, now=hub.now())
        candidates = [{k: v for k, v in c.items() if k != "never"} for c in row.candidates]
        values = {"state": "open", "decision": None, "closed_at": None, "candidates": candidates}
        tx.execute(review.update().where(review.c.id == review_id).values(**values))
    hub.wake("")
    return {"id": review_id, "choice": None}


def _open(tx: Connection, review_id: int) -> Any:
    row = tx.execute(sa.select(review).where(review.c.id == review_id).with_for_update()).first()
    if row is None:
        raise NeedHuman(
            Text(f"There is no open review {review_id}.", f"Открытого вопроса {review_id} нет."), code="review.gone"
        )
    if row.state != "open":
        said = row.decision or {}
        what = f"{said.get('choice', '?')} {said.get('client') or ''}".strip()
        at = f"{row.closed_at:%Y-%m-%d %H:%M} UTC" if row.closed_at else "?"
        raise NeedHuman(
            Text(
                f"Question {review_id} is no open review any more: {said.get('who')} answered it at {at}: {what}. "
                f"To answer otherwise take that back first: sverka review {review_id} back",
                f"На вопрос {review_id} уже ответил(а) {said.get('who')} {at}: {what}. "
                f"Чтобы ответить иначе, сначала отмените ответ: sverka review {review_id} back",
            ),
            code="review.gone",
        )
    return row


def _link(hub: Hub, tx: Connection, row: Any, client: str, who: str) -> dict[str, Any]:
    known = tx.execute(
        sa.select(record.c.title, record.c.merged_into, record.c.kind).where(record.c.uid == client)
    ).first()
    if known is None or known.kind not in merging.KINDS or client == row.record_uid:
        raise _choice(row)
    if known.merged_into is not None:
        raise _merged_meanwhile(tx, client, known)
    held = tx.execute(sa.select(review.c.id).where(review.c.record_uid == client, review.c.state == "open")).first()
    if held is not None:
        raise NeedHuman(
            Text(
                f"{client} is a holding card itself: answer question {held.id} first.",
                f"{client} сама — карточка ожидания: сначала ответьте на вопрос {held.id}.",
            ),
            code="review.held",
        )
    change = merging.merge(
        hub.store, tx, client, row.record_uid, rule="review", why=_WHY, who=who, now=hub.now(), mixed=True
    )
    merges.follow(hub, tx, change, who)
    return {"client": client, "merge": change.id}


def _new(hub: Hub, tx: Connection, row: Any) -> dict[str, Any]:
    """A client of its own: what raised the question leads to it from now on."""
    card = row.record_uid
    tx.execute(record.update().where(record.c.uid == card).values(held=None))
    index = Index.of(tx)
    profile = index.profiles([card]).get(card)
    if profile is not None:
        profile.held = False
        index.put(profile)
    made = profile is None and _introduce(hub, tx, index, row)
    merges.look_again(hub, tx, [card])
    return {"client": card, **({"introduced": True} if made else {})}


def _introduce(hub: Hub, tx: Connection, index: Index, row: Any) -> bool:
    """A holding card of which nothing was learnt: it gets what its event says."""
    said = tx.execute(sa.select(belongs.c.said, belongs.c.seen_at).where(belongs.c.thing == row.thing)).first()
    if said is None or not said.said:
        return False
    found = evidence.read({**said.said, "at": stamp(said.seen_at)}, own_of(hub.world))
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.record_uid)).scalar_one()
    profile = Profile(row.record_uid, "company" if kind == "company" else "person")
    index.save(observed.with_card(profile, found))
    return True


def _never(hub: Hub, tx: Connection, row: Any, client: str | None, who: str) -> dict[str, Any] | None:
    """Struck off are one candidate, or all; None while others are left to choose from."""
    today = merging.clients_of(tx, [c["uid"] for c in row.candidates])
    if client is not None and client not in {*today, *today.values()}:
        raise _choice(row)
    meant = [c["uid"] for c in row.candidates if client in (None, c["uid"], today[c["uid"]])]
    now, ids = hub.now(), {}
    for other in meant:
        ids[other] = merging.keep_apart(hub.store, tx, row.record_uid, other, who=who, now=now, signature=row.signature)
    marks = {uid: {"id": id, "who": who, "at": stamp(now)} for uid, id in ids.items()}
    candidates = [
        {**c, "never": marks[c["uid"]]} if c["uid"] in marks and "never" not in c else c for c in row.candidates
    ]
    tx.execute(review.update().where(review.c.id == row.id).values(candidates=candidates))
    return _new(hub, tx, row) if all("never" in c for c in candidates) else None


def _ask_again(hub: Hub, tx: Connection, row: Any, decision: Mapping[str, Any], who: str) -> None:
    """The card is a holding card again, as it was before the answer "new"."""
    card = row.record_uid
    if len(merging.cards_of(tx, card)) > 1:
        raise NeedHuman(
            Text(
                "The card has been merged since: take that merge back first.",
                "С тех пор карточка объединена с другой: сначала отмените объединение.",
            ),
            code="review.merged",
        )
    tx.execute(record.update().where(record.c.uid == card).values(held=True))
    index = Index.of(tx)
    profile = index.profiles([card]).get(card)
    if decision.get("introduced"):
        index.drop(card)
    elif profile is not None:
        profile.held = True
        index.put(profile)
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == card)).scalar_one()
    note(tx, card, kind, "hub", "human", {"review": [decision.get("choice"), None]}, hub.now(), Cause(), who)
    merges.look_again(hub, tx, [card])


def _which_lead(hub: Hub, tx: Connection, row: Any, answer: str, lead: str | None, who: str) -> dict[str, Any]:
    """The other kind of question: which of a client's leads became this deal."""
    if answer != "link":
        return {"client": None}
    if lead not in [c["uid"] for c in row.candidates]:
        raise _choice(row)
    events.convert(hub.world, tx, str(lead), row.record_uid, Cause(), who)
    return {"client": lead, "final": True}


def _merged_meanwhile(tx: Connection, client: str, known: Any) -> NeedHuman:
    into = tx.execute(sa.select(record.c.title).where(record.c.uid == known.merged_into)).scalar()
    row = tx.execute(sa.select(merge_rows).where(merge_rows.c.gone == client, merge_rows.c.state == "stands")).first()
    who, at = (row.who, f"{row.at:%Y-%m-%d %H:%M} UTC") if row is not None else ("?", "?")
    return NeedHuman(
        Text(
            f"{known.title or client} was merged into {into} ({known.merged_into}) by {who} at {at}: nothing was decided. "
            "Choose that one, or look again.",
            f"{known.title or client}: карточку объединил(а) с {into} ({known.merged_into}) {who}, {at}; решение не принято. "
            "Выберите ту карточку или посмотрите ещё раз.",
        ),
        code="review.merged",
    )


def _choice(row: Any) -> NeedHuman:
    names = ", ".join(c["uid"] for c in row.candidates) or "—"
    return NeedHuman(
        Text(
            f"Answer link with a client, new, or never. Candidates: {names}.",
            f"Ответ: link и клиент, new или never. Кандидаты: {names}.",
        ),
        code="review.choice",
        field="client",
    )
