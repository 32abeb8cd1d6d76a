"""From a native record to canonical fields: the lens, and the few things that need more than one record to be said."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.config import Config
from sync.flow.plug import Plug
from sync.flow.stages import meant
from sync.lens import Lens, Translated
from sync.reconcile.stages import stage_of_facts
from sync.store.tables import link, record

# What a link's native kind says about the canonical record that it belongs to
BELONGS = {"offer": "product"}
SAID = frozenset({"price", "stock"})  # what an offer says of its product


def canonical_kind(kind: str) -> str:
    """An offer speaks of its product; every other kind of itself."""
    return BELONGS.get(kind, kind)


def sale_price_keys(config: Config, tx: Connection, connection: str) -> frozenset[str] | None:
    """The external ids of the price type that the hub sells by, named by its name or id; None when none is named."""
    wanted = config.hub.price_type
    if not wanted:
        return None
    rows = tx.execute(
        sa.select(link.c.external_id)
        .join(record, record.c.uid == link.c.record_uid)
        .where(record.c.kind == "price_type", record.c.title == wanted, link.c.connection == connection)
    )
    return frozenset({wanted, *(r.external_id for r in rows)})


# Rows with a table of their own, and what only says where an offer belongs: they have no side in the decision
_APART = frozenset({"documents", "prices", "stocks", "product", "quantity"})


def _without_rows(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _APART}


def observed(
    config: Config,
    plug: Plug,
    found: Translated,
    *,
    deleted: bool,
    numbered: bool,
    price_keys: frozenset[str] | None = None,
    pipeline: str | None = None,
    lens: Lens | None = None,
    current: str | None = None,
    agreed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What this side says of the fields that are reconciled.

    Documents are rows of their own and have no side here. A number that we gave the other side is not news. The
    accounting side's facts stand for a stage, by the table of the deal's own `pipeline`, or of the one that this side names.
    A state of its own is read through `lens`, seen from the stage in which the deal stands (`current`) and from what was
    `agreed` with this side.
    """
    if found.kind == "offer":
        return _offer(price_keys, found.fields)
    fields = found.fields.copy() if _APART.isdisjoint(found.fields) else _without_rows(found.fields)
    if found.kind == "product" and (deleted or plug.role == "accounting"):
        # a deletion mark may be taken back: what is not marked is active again
        fields["active"] = not deleted and fields.get("active", True)
    if found.kind == "deal":
        if numbered:
            fields.pop("number", None)
        own = config.pipeline(fields.get("pipeline") or pipeline)
        if lens is not None and {"stage", "stage_title"} & fields.keys():
            fields["stage"] = meant(lens, own, fields, current, agreed)
            if fields["stage"] is None and "stage" not in lens.two_way:  # nothing said is no empty stage
                del fields["stage"]
        fields.pop("stage_title", None)
        if plug.role == "accounting":
            cancelled = True if deleted else fields.get("cancelled")
            stage = stage_of_facts(
                own.facts,
                fields.get("paid"),
                fields.get("shipped"),
                cancelled,
            )
            if stage is not None:
                fields["stage"] = stage
    return fields


def _offer(price_keys: frozenset[str] | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A product's price (of the type that the hub sells by) and stock; what was not sent is not known."""
    known: dict[str, Any] = {}
    prices = fields.get("prices") or []
    chosen = prices if price_keys is None else [p for p in prices if p.get("key") in price_keys]
    if len(chosen) == 1:
        known["price"] = chosen[0]["value"]
    stocks = fields.get("stocks")
    if fields.get("quantity") is not None:
        known["stock"] = fields["quantity"]
    elif stocks:
        known["stock"] = sum((s["qty"] for s in stocks), Decimal(0))
    return known


def pipeline_of(config: Config, tx: Connection, plug: Plug, kind: str, uid: str) -> str | None:
    """The pipeline of a record whose stage this side's facts may stand for; None where there is nothing to tell apart."""
    if kind != "deal" or plug.role != "accounting" or len(config.pipelines) < 2:
        return None
    found: str | None = tx.execute(sa.select(record.c.data).where(record.c.uid == uid)).scalar_one().get("pipeline")
    return found


def columns(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The searchable columns of a record, out of its canonical fields."""
    if kind == "deal":
        return {
            "number": data.get("number"),
            "title": data.get("title"),
            "stage": data.get("stage"),
            "amount": data.get("amount"),
            "currency": data.get("currency"),
        }
    if kind == "lead":
        return {"title": data.get("title"), "stage": data.get("status"), "amount": data.get("amount")}
    if kind == "product":
        return {"number": data.get("sku"), "title": data.get("name")}
    if kind == "company":
        return {"number": data.get("inn"), "title": data.get("name")}
    return {"title": data.get("name")}
