"""The documents behind a deal: payments, shipments, invoices, refunds, returns. Paid and shipped sums are sums of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import Text
from sync.flow import events
from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note
from sync.identity import Verdict
from sync.model.settled import paid_and_shipped
from sync.store import new_uid
from sync.store.tables import document, record

_FIELDS = ("kind", "number", "date", "amount", "currency", "posted", "reversed")
_BY_DOCUMENT = Text("a document of the client's deal", "документ по сделке клиента")
_TITLES = {
    "payment": Text("Payment", "Оплата"),
    "shipment": Text("Shipment", "Отгрузка"),
    "refund": Text("Refund", "Возврат денег"),
    "return": Text("Return of goods", "Возврат товара"),
}


def store(
    world: World,
    tx: Connection,
    plug: Plug,
    deal_uid: str,
    rows: Sequence[Mapping[str, Any]] | None,
    client: str | None,
    cause: Cause,
) -> bool:
    """Bring the rows of one side up to date; True when anything changed. None means that the side said nothing of them.

    A document that its side no longer shows was taken back: it stays, reversed. Those of a kind of which the side says that
    it cannot tell now (`unknown`) stay as they were.
    """
    if rows is None:
        return False
    silent = {row["kind"] for row in rows if row.get("unknown")}
    rows = [row for row in rows if not row.get("unknown")]
    mine = (document.c.deal_uid == deal_uid, document.c.connection == plug.name)
    known = {d.key: d for d in tx.execute(sa.select(document).where(*mine))}
    changes: dict[str, Any] = {}
    for row in {r["key"]: r for r in rows}.values():  # one that is named twice is one
        values = {f: row.get(f) for f in _FIELDS}
        old = known.pop(row["key"], None)
        if old is None:
            tx.execute(
                document.insert().values(
                    uid=new_uid(), deal_uid=deal_uid, connection=plug.name, key=row["key"], **values
                )
            )
            changes[f"{row['kind']} {row['key']}"] = [None, _shown(values)]
        elif any(getattr(old, f) != values[f] for f in _FIELDS):
            tx.execute(document.update().where(document.c.uid == old.uid).values(**values))
            changes[f"{row['kind']} {row['key']}"] = [_shown({f: getattr(old, f) for f in _FIELDS}), _shown(values)]
        _event(world, tx, plug, deal_uid, row, client, cause)
    for old in known.values():
        if not old.reversed and old.kind not in silent:
            tx.execute(document.update().where(document.c.uid == old.uid).values(reversed=True))
            changes[f"{old.kind} {old.key}"] = [_shown({f: getattr(old, f) for f in _FIELDS}), None]
    if changes:
        changes |= _sums(world, tx, deal_uid)
        note(tx, deal_uid, "deal", plug.name, "observed", changes, world.now(), cause, plug.name)
    return bool(changes)


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None and k != "kind"}


def _sums(world: World, tx: Connection, deal_uid: str) -> dict[str, Any]:
    """Paid and shipped sums of the deal, as changes where they moved."""
    columns = record.c.paid, record.c.shipped, record.c.currency
    deal = tx.execute(sa.select(*columns).where(record.c.uid == deal_uid)).one()
    papers = tx.execute(sa.select(document).where(document.c.deal_uid == deal_uid)).all()
    paid, shipped = paid_and_shipped(papers, deal.currency, world.config.bases)
    changed = {}
    for name, before, after in (("paid", deal.paid, paid), ("shipped", deal.shipped, shipped)):
        if (before or Decimal(0)) != after:
            changed[f"{name}_amount"] = [before, after]
    tx.execute(record.update().where(record.c.uid == deal_uid).values(paid=paid, shipped=shipped))
    return changed


def _event(
    world: World, tx: Connection, plug: Plug, deal_uid: str, row: Mapping[str, Any], client: str | None, cause: Cause
) -> None:
    """A payment, shipment or refund is a contact event of the client as well."""
    title = _TITLES.get(row["kind"])
    if title is None or row.get("posted") is False or row.get("reversed"):
        return
    at: datetime | None = row.get("date")
    amount = f" {row['amount']}" if row.get("amount") is not None else ""
    number = f" № {row['number']}" if row.get("number") else ""
    events.log(
        world,
        tx,
        plug,
        f"{plug.name}:document:{deal_uid}:{row['key']}",
        {
            "type": "shipment" if row["kind"] in ("shipment", "return") else "payment",
            "direction": "in" if row["kind"] in ("payment", "return") else "out",
            "at": at,
            "subject": f"{title.say(world.config.hub.language)}{number}{amount}",
        },
        Verdict(client, "document", _BY_DOCUMENT),
        cause,
        deal=deal_uid,
    )
