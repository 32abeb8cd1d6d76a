"""The goods of a deal's lines, as another system knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, Text
from sync.flow.plug import Plug, World
from sync.store.tables import link, record


def product_of(tx: Connection, one: Mapping[str, Any], origins: list[str]) -> str | None:
    """The hub's product behind a deal line: by the id on the line's own side, else by the only product of that article."""
    if one.get("product"):
        found = tx.execute(
            sa.select(link.c.record_uid)
            .join(record, record.c.uid == link.c.record_uid)
            .where(link.c.connection.in_(origins), link.c.external_id == one["product"], record.c.kind == "product")
        ).first()
        if found is not None:
            return str(found.record_uid)
    if not one.get("sku"):
        return None
    by_sku = tx.execute(
        sa.select(record.c.uid).where(record.c.kind == "product", record.c.number == one["sku"]).limit(2)
    ).all()
    return str(by_sku[0].uid) if len(by_sku) == 1 else None


def lines_for(
    world: World, tx: Connection, lines: Sequence[Mapping[str, Any]], links: Sequence[Any], target: Plug
) -> list[dict[str, Any]]:
    """The lines with the products' ids on the target side; goods unknown to accounting make the order wait (NeedHuman)."""
    own = _shown(links, target)
    return [_line(world, tx, {"kind": "goods", **one}, links, target, own) for one in lines]


def _shown(links: Sequence[Any], target: Plug) -> set[str]:
    """The product ids in the lines that the target shows of this deal itself: those it knows, whatever else it told of."""
    found: set[str] = set()
    for one in links:
        lens = target.mapping.lenses.get(one.native_kind)
        if one.connection == target.name and one.shadow and lens is not None:
            found |= {
                str(row["product"]) for row in lens.get(one.shadow).fields.get("lines") or [] if row.get("product")
            }
    return found


def _line(
    world: World, tx: Connection, one: dict[str, Any], links: Sequence[Any], target: Plug, own: set[str]
) -> dict[str, Any]:
    if one["kind"] == "goods" and one.get("product") in own:
        return one
    if one["kind"] != "goods":
        return {**one, "product": None}
    uid = product_of(tx, one, [k.connection for k in links if k.connection != target.name])
    there = None
    if uid is not None:
        kinds = [n for n, lens in target.mapping.lenses.items() if lens.kind == "product"]
        there = tx.execute(
            sa.select(link.c.external_id).where(
                link.c.record_uid == uid, link.c.connection == target.name, link.c.native_kind.in_(kinds)
            )
        ).scalar()
    if there is None and target.role == "accounting" and world.config.hub.unmatched_lines == "wait":
        what = one.get("sku") or one.get("name") or one.get("key")
        raise NeedHuman(
            Text(
                f"Map this product: {what!r} of the order is not known in {target.name}.",
                f"Сопоставьте товар: «{what}» из заказа неизвестен в {target.name}.",
            ),
            code="deal.unmatched_line",
            field="lines",
            remedy=Text(
                'Give the product the same article there, or set hub.unmatched_lines = "by_name".',
                'Задайте товару там тот же артикул либо укажите hub.unmatched_lines = "by_name".',
            ),
        )
    return {**one, "product": there}
