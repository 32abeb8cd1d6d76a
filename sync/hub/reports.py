"""The accountant's report: deals against the orders and documents of the accounting system, differences first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.config import Pipeline
from sync.errors import Text
from sync.flow.plug import Plug
from sync.flow.stages import graph_of, meant
from sync.flow.translate import canonical_kind
from sync.hub.agreement import ZERO, Books, Difference, Side, differences
from sync.hub.runtime import Hub
from sync.identity.names import may_agree
from sync.model.settled import ordered, paid_and_shipped, uncounted
from sync.reconcile.stages import stage_of_facts
from sync.store.tables import conflict, document, journal, link, quarantine, record

_ORDER = {"crm": 0, "shop": 1, "form": 2}  # whose word the deal's own side is: where people work on it first
SUMS = ("amount", "order_amount", "paid", "shipped")


def deals(hub: Hub, days: int | None = None) -> list[dict[str, Any]]:
    """One row per deal and one per order that only accounting knows; those with differences first. `days`: without the closed
    deals in which nothing differs and nothing has moved for so long; None: all. See `of_what`.

    {number, client, stage, amount, order, order_date, counterparty, order_amount, gap, paid, shipped, currency, order_stage,
    differences: [text], kinds: [kind of each difference]}; sums are Decimals, texts in the hub's language, dates by the
    firm's clock.
    """
    with hub.store.read() as tx:
        resting = _resting(hub, tx, days) if days is not None else frozenset[str]()
        read = ((deal.uid, _row(hub, deal, *parts)) for deal, parts in _gathered(tx))
        found = [row for uid, row in read if row["differences"] or uid not in resting]
        found += _only_there(hub, tx)
    for row in found:
        both = row["order_amount"] is not None and row["amount"] is not None
        row["gap"] = row["order_amount"] - row["amount"] if both else None
    return sorted(found, key=lambda r: not r["differences"])


def of_what(days: int | None) -> Text:
    """Which deals the rows and totals are of."""
    if days is None:
        return Text("All deals.", "Все сделки.")
    return Text(
        f"Deals that are open, differ, or moved in the last {days} days; older ones: sverka report deals --all.",
        f"Сделки открытые, с расхождениями и с изменениями за последние {days} дн.; более старые: sverka report deals --all.",
    )


def totals(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """{amount, order_amount, paid, shipped, gap, deals, different}: both sides' sums, and by how much they differ."""
    rows = list(rows)
    sums = {name: sum((r[name] or ZERO for r in rows), ZERO) for name in SUMS}
    return {
        **sums,
        "gap": sums["order_amount"] - sums["amount"],
        "deals": len(rows),
        "different": sum(1 for r in rows if r["differences"]),
    }


def by_currency(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each currency ("" where none is said), the one with the most rows first. One currency at least."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["currency"] or "", []).append(row)
    return dict(sorted(found.items(), key=lambda one: -len(one[1]))) or {"": []}


def said(rows: list[dict[str, Any]]) -> list[Text]:
    """Both sides' totals in words, a sentence for each currency; none where there are no deals."""
    found = []
    for currency, some in by_currency(rows).items() if rows else ():
        sums = {name: f"{value:.2f}" for name, value in totals(some).items() if name in (*SUMS, "gap")}
        unit = f" {currency}" if currency else ""
        found.append(
            Text(
                f"Sums{unit}: {sums['amount']} in deals, {sums['order_amount']} in accounting, difference {sums['gap']}.",
                f"Суммы{unit}: {sums['amount']} в сделках, {sums['order_amount']} в учёте, разница {sums['gap']}.",
            )
        )
    return found


def local(hub: Hub, moment: datetime) -> datetime:
    """The moment by the firm's clock: hub.timezone, else this PC's."""
    return moment.astimezone(ZoneInfo(hub.config.hub.timezone) if hub.config.hub.timezone else None)


def _gathered(tx: Connection) -> Iterable[tuple[Any, tuple[Any, ...]]]:
    """Each deal with its links, documents and open questions."""
    card, client = record.alias("card"), record.alias("client")
    rows = tx.execute(
        sa.select(record, client.c.title.label("client_name"), client.c.data.label("client_data"))
        .outerjoin(card, card.c.uid == record.c.client_uid)
        .outerjoin(client, client.c.uid == sa.func.coalesce(card.c.merged_into, card.c.uid))
        .where(record.c.kind == "deal", record.c.merged_into.is_(None))
        .order_by(record.c.created_at)
    ).all()
    links = _grouped(
        tx.execute(
            sa.select(link)
            .join(record, record.c.uid == link.c.record_uid)
            .where(record.c.kind == "deal")
            .order_by(link.c.id)
        ),
        "record_uid",
    )
    documents = _grouped(tx.execute(sa.select(document)), "deal_uid")
    questions = _grouped(tx.execute(sa.select(conflict).where(conflict.c.state == "open")), "record_uid")
    stopped = _grouped(
        tx.execute(sa.select(quarantine).where(quarantine.c.state != "closed", quarantine.c.record_uid.is_not(None))),
        "record_uid",
    )
    for row in rows:
        uid = row.uid
        yield row, (links.get(uid, []), documents.get(uid, []), questions.get(uid, []), stopped.get(uid, []))


def _resting(hub: Hub, tx: Connection, days: int) -> frozenset[str]:
    """Closed deals of which no side and no document has said anything new for so long."""
    closed = {s.name for p in hub.config.pipelines for s in p.stages if s.semantic != "open"}
    return frozenset(
        tx.execute(
            sa.select(record.c.uid)
            .join(journal, journal.c.record_uid == record.c.uid)
            .where(record.c.kind == "deal", record.c.stage.in_(closed))
            .group_by(record.c.uid)
            .having(sa.func.max(journal.c.at) < hub.now() - timedelta(days=days))
        ).scalars()
    )


def _grouped(rows: Iterable[Any], column: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, column), []).append(row)
    return found


def _row(hub: Hub, deal: Any, links: list[Any], documents: list[Any], questions: list[Any], stopped: list[Any]) -> Any:
    sides = [(plug, one, _reading(plug, one)) for one in links if (plug := hub.plugs.get(one.connection)) is not None]
    ours = sorted((s for s in sides if s[0].role != "accounting"), key=lambda s: _ORDER.get(s[0].role, 9))
    there = [s for s in sides if s[0].role == "accounting"]
    books_side = there[0] if there else None
    sales = _sales(hub, deal, [reading for _, _, reading in ours])
    documents = [d for d in documents if d.connection in {plug.name for plug, _, _ in there}]
    books = _books(hub, deal, there, documents)
    found = differences(sales, books, may_agree)
    found += [_question(q) for q in questions] + [_stopped(q) for q in stopped]
    titles = books.titles
    order = books.order
    language = hub.config.hub.language
    return {
        "number": deal.number,
        "client": deal.client_name,
        "stage": titles.get(deal.stage or "", deal.stage),
        "amount": sales.amount,
        "order": order.number if order is not None else books_side[1].number if books_side else None,
        "order_date": min((local(hub, d.date) for d in documents if d.kind == "order" and d.date), default=None),
        "counterparty": order.client if order is not None else None,
        "order_amount": order.amount if order is not None else None,
        "paid": books.paid,
        "shipped": books.shipped,
        "currency": sales.currency or (order.currency if order else None),
        "order_stage": books.shown or titles.get(books.stage or "", books.stage),
        "differences": [one.text.say(language) for one in found],
        "kinds": [one.kind for one in found],
    }


def _reading(plug: Plug, row: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(fields, client) as that side showed them last; None where it has shown nothing yet."""
    lens = plug.mapping.lenses.get(row.native_kind)
    if lens is None or row.shadow is None or canonical_kind(lens.kind) != "deal":
        return None
    found = lens.get(row.shadow)
    return found.fields, found.client


def _sales(hub: Hub, deal: Any, readings: list[tuple[dict[str, Any], dict[str, Any]] | None]) -> Side:
    said = [fields for fields, _ in filter(None, readings)]

    def first(name: str, otherwise: Any = None) -> Any:
        return next((f[name] for f in said if f.get(name) is not None), otherwise)

    client = deal.client_data or {}
    return Side(
        number=deal.number,
        client=client.get("legal_name") or deal.client_name,
        inn=client.get("inn"),
        amount=first("amount", deal.amount),
        currency=first("currency", deal.currency),
        paid=first("paid"),
        shipped=first("shipped"),
        stage=deal.stage,
        claims=frozenset(_claims(hub.config.pipeline((deal.data or {}).get("pipeline")), deal.stage)),
        lines=first("lines"),
    )


def _claims(pipeline: Pipeline, stage: str | None) -> Iterable[str]:
    """What the stage stands for by the pipeline's own words: payment, shipment, lost."""
    facts = pipeline.facts
    both = facts.get("paid_and_shipped")
    if stage is not None and stage in (facts.get("paid"), both):
        yield "payment"
    if stage is not None and stage in (facts.get("shipped"), both):
        yield "shipment"
    if any(one.name == stage and one.semantic == "lost" for one in pipeline.stages):
        yield "lost"


def _books(hub: Hub, deal: Any, sides: list[Any], documents: list[Any]) -> Books:
    """What accounting says. The first of several connections speaks for all, but for the sums: orders of different bases are
    added up, as their payments are."""
    pipeline = hub.config.pipeline((deal.data or {}).get("pipeline"))
    titles = {s.name: s.title for p in hub.config.pipelines for s in p.stages}
    if not sides:
        return Books(None, wanted=_wanted(hub), titles=titles)
    plug, row, reading = sides[0]
    together = ordered(documents, hub.config.bases) or [plug.name]
    orders = [d for d in documents if d.kind == "order" and d.connection in together and not d.reversed]
    if reading is None:
        return Books(None, waiting=row.state == "offered", titles=titles)
    fields, client = reading
    currency = next((d.currency for d in orders if d.currency), fields.get("currency"))
    counted = [d.amount or ZERO for d in orders if d.currency in (None, currency)]
    amount = sum(counted, ZERO) if orders else fields.get("amount")
    order = Side(
        number=", ".join(d.number for d in orders if d.number) or fields.get("number"),
        client=client.get("company") or client.get("name"),
        inn=client.get("inn"),
        amount=amount,
        currency=currency,
        lines=_lines([found[0].get("lines") for one, _, found in sides if one.name in together and found is not None]),
    )
    facts = (fields.get("paid"), fields.get("shipped"), True if row.deleted_at else fields.get("cancelled"))
    stage = stage_of_facts(pipeline.facts, *facts)
    shown = titles.get(stage or "", stage) or fields.get("stage_title")
    if stage is None:
        stage = meant(plug.mapping.lens(row.native_kind), pipeline, fields, deal.stage)
        if "stage_title" in fields and stage and graph_of(pipeline).reachable(stage, deal.stage or ""):
            stage = deal.stage  # a state that is shared by stages, or lags behind them, is no difference
    paid, shipped = paid_and_shipped(documents, deal.currency, hub.config.bases)
    silent = frozenset(d["kind"] for d in fields.get("documents") or [] if d.get("unknown"))
    left_out = uncounted(documents, deal.currency)
    return Books(
        order,
        paid,
        shipped,
        silent=silent,
        uncounted=left_out,
        stage=stage,
        shown=shown,
        cancelled=facts[2],
        titles=titles,
    )


def _lines(parts: list[Any]) -> list[Any] | None:
    """The lines of all orders; None where one does not show its own."""
    return None if None in parts else [row for rows in parts for row in rows]


def _wanted(hub: Hub) -> bool:
    accounting = {p.name for p in hub.plugs.values() if p.role == "accounting"}
    return any(f.kind == "deal" and f.target in accounting and f.create != "never" for f in hub.config.flows)


def _question(row: Any) -> Difference:
    names = ", ".join(row.sides)
    return Difference(
        "question",
        Text(
            f"a person must decide “{row.field}” ({names}): sverka conflicts",
            f"нужно решение по полю «{row.field}» ({names}): sverka conflicts",
        ),
    )


def _stopped(row: Any) -> Difference:
    return Difference("stopped", Text(row.text["en"], row.text["ru"]))


def _only_there(hub: Hub, tx: Connection) -> Iterable[dict[str, Any]]:
    """Orders that accounting sent and no deal answers to: they wait in quarantine."""
    accounting = [p.name for p in hub.plugs.values() if p.role == "accounting"]
    rows = tx.execute(
        sa.select(quarantine)
        .where(
            quarantine.c.connection.in_(accounting),
            quarantine.c.code == "deal.unknown_number",
            quarantine.c.state != "closed",
        )
        .order_by(quarantine.c.id)
    )
    for row in rows:
        close = f"sverka quarantine close {row.id}"
        text = Text(
            f"accounting has this order, there is no such deal (if there is to be none: {close})",
            f"в учёте заказ есть, такой сделки нет (если её и не должно быть: {close})",
        )
        plug = hub.plugs[row.connection]
        lens = plug.mapping.lenses.get(row.native_kind)
        found = lens.get((row.data or {}).get("data") or {}) if lens is not None else None
        papers = [d for d in (found.fields.get("documents") or [] if found else []) if d.get("kind") == "order"]
        client = found.client if found else {}
        yield {
            "number": None,
            "client": None,
            "stage": None,
            "amount": None,
            "order": next((d["number"] for d in papers if d.get("number")), row.external_id),
            "counterparty": client.get("company") or client.get("name"),
            "order_date": next((local(hub, d["date"]) for d in papers if d.get("date")), None),
            "order_stage": None,
            "order_amount": next((d["amount"] for d in papers if d.get("amount") is not None), None),
            "paid": ZERO,
            "shipped": ZERO,
            "currency": next((d["currency"] for d in papers if d.get("currency")), None),
            "differences": [text.say(hub.config.hub.language)],
            "kinds": ["missing"],
        }
