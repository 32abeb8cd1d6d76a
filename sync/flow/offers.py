"""Prices by type and stock by warehouse: rows of their own beside the product, changed only where they really differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import RecordRefused, Text
from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note
from sync.store.tables import price, stock


def no_product(product: Any) -> RecordRefused:
    """Why an offer waits."""
    return RecordRefused(
        Text(
            f"An offer came for the product {product}, which is not known: its catalogue has not come yet.",
            f"Пришло предложение для номенклатуры {product}, которой ещё нет: каталог не приходил.",
        ),
        code="offer.no_product",
        field="product",
        remedy=Text("It is tried again when the catalogue comes.", "Будет повторено, когда придёт каталог."),
    )


def named(table: str, key: str, column: str, amount: str) -> str:
    """What the journal calls one value of a row: "price retail", "stock main", "currency retail"."""
    return f"{table if column == amount else column} {key}"


def store_rows(
    world: World,
    tx: Connection,
    plug: Plug,
    uid: str,
    fields: Mapping[str, Any],
    cause: Cause,
    link_id: int | None = None,
) -> None:
    """Bring a product's prices and stock of one side up to date. A part that was not sent is not touched: absent is not
    zero, and a price without a currency keeps the one it had. A row that is missing from a part that was sent is taken away."""
    changes: dict[str, Any] = {}
    if fields.get("prices") is not None:
        rows = {
            p["key"]: {"value": p["value"], "currency": (p.get("currency") or "")[:3] or None} for p in fields["prices"]
        }
        changes |= _rows(world, tx, plug, uid, price, "price_type", "value", rows)
    if fields.get("stocks") is not None:
        rows = {s["key"]: {"qty": s["qty"]} for s in fields["stocks"]}
        changes |= _rows(world, tx, plug, uid, stock, "warehouse", "qty", rows)
    if changes:
        note(tx, uid, "product", plug.name, "observed", changes, world.now(), cause, plug.name, link_id)


def _rows(
    world: World,
    tx: Connection,
    plug: Plug,
    uid: str,
    table: sa.Table,
    key: str,
    value: str,
    rows: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    mine = (table.c.product_uid == uid, table.c.connection == plug.name)
    known = {getattr(r, key): r for r in tx.execute(sa.select(table).where(*mine))}
    changes: dict[str, Any] = {}
    for name, values in rows.items():
        old = known.pop(name, None)
        if old is None:
            tx.execute(
                table.insert().values(
                    product_uid=uid, connection=plug.name, updated_at=world.now(), **{key: name}, **values
                )
            )
            changes[f"{table.name} {name}"] = [None, values[value]]
        elif moved := {f: v for f, v in values.items() if v is not None and getattr(old, f) != v}:
            tx.execute(table.update().where(*mine, table.c[key] == name).values(updated_at=world.now(), **moved))
            changes |= {named(table.name, name, f, value): [getattr(old, f), v] for f, v in moved.items()}
    for name, old in known.items():
        tx.execute(table.delete().where(*mine, table.c[key] == name))
        changes[f"{table.name} {name}"] = [getattr(old, value), None]
    return changes
