"""Rows of prices and stock of many products at once: read together, compared, written together (see offers.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow.offers import named
from sync.flow.plug import World
from sync.flow.seen import among
from sync.model.types import PRICE_PLACES, QTY_PLACES
from sync.store.tables import price, stock


class Goods(NamedTuple):
    """One table: its key's column, the columns of its values with the amount first, the amount's name in an offer and its
    places, and what stands beside the amount in an offer's row, in stored form."""

    table: sa.Table
    key: str
    columns: tuple[str, ...]
    amount: str
    places: int
    beside: Callable[[dict[str, Any]], tuple[Any, ...]]


PRICES = Goods(
    price,
    "price_type",
    ("value", "currency"),
    "value",
    PRICE_PLACES,
    lambda row: ((row.get("currency") or "")[:3] or None,),
)
STOCKS = Goods(stock, "warehouse", ("qty",), "qty", QTY_PLACES, lambda row: ())


def _whole(amount: str) -> int:
    """In stored form. The lens has rounded it to its places, so that the text has all of them."""
    return int(amount.replace(".", ""))


def many(world: World, tx: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """One statement for many rows of parameters (written as "?"), values in stored form."""
    if rows:
        tx.exec_driver_sql(sql if world.store.sqlite else sql.replace("?", "%s"), rows)


class Rows:
    """The rows of one connection and some products: `bring` compares, `write` does what came of it."""

    def __init__(self, world: World, tx: Connection, connection: str, now: str, known: Iterable[str]) -> None:
        """`known`: products that may have rows already."""
        self._world, self._tx, self._connection, self._now = world, tx, connection, now
        known = list(known)
        self._held = {goods.table.name: self._read(goods, known) for goods in (PRICES, STOCKS)}
        self._new: dict[str, list[tuple[Any, ...]]] = {"price": [], "stock": []}
        self._moved: dict[str, list[tuple[Any, ...]]] = {"price": [], "stock": []}
        self._gone: dict[str, list[tuple[Any, ...]]] = {"price": [], "stock": []}

    def _read(self, goods: Goods, uids: Sequence[str]) -> dict[str, dict[str, tuple[Any, ...]]]:
        held: dict[str, dict[str, tuple[Any, ...]]] = {}
        if uids:
            columns = ", ".join(("product_uid", goods.key, *goods.columns))
            sql = f"SELECT {columns} FROM {goods.table.name} WHERE connection = ? AND product_uid"
            for uid, key, *values in among(self._world, self._tx, sql, (self._connection,), uids):
                held.setdefault(uid, {})[key] = tuple(values)
        return held

    def bring(self, goods: Goods, uid: str, said: Sequence[dict[str, Any]] | None) -> dict[str, list[str | None]]:
        """One product's rows up to date; the changes for the journal, amounts as it keeps them. None was not sent: nothing is
        touched."""
        changes: dict[str, list[str | None]] = {}
        if said is None:
            return changes
        name, amount, beside = goods.table.name, goods.amount, goods.beside
        old = self._held[name].pop(uid, None)
        new, connection, now = self._new[name], self._connection, self._now
        for row in said:
            key, text = row["key"], str(row[amount])
            values = (_whole(text), *beside(row))
            before = old.pop(key, None) if old else None  # of a first import, most rows by far, there is none
            if before is None:
                new.append((uid, connection, key, *values, now))
                changes[f"{name} {key}"] = [None, text]
                continue
            values = tuple(held if value is None else value for value, held in zip(values, before, strict=True))
            if before != values:
                self._moved[name].append((*values, now, uid, connection, key))
                was = (self._amount(goods, before), *before[1:])
                for column, old_one, new_one in zip(goods.columns, was, (text, *values[1:]), strict=True):
                    if old_one != new_one:
                        changes[named(name, key, column, amount)] = [old_one, new_one]
        for key, before in old.items() if old else ():
            self._gone[name].append((uid, connection, key))
            changes[f"{name} {key}"] = [self._amount(goods, before), None]
        return changes

    @staticmethod
    def _amount(goods: Goods, values: tuple[Any, ...]) -> str:
        return str(Decimal(values[0]).scaleb(-goods.places))

    def write(self) -> None:
        for goods in (PRICES, STOCKS):
            name, place = goods.table.name, f"product_uid = ? AND connection = ? AND {goods.key} = ?"
            columns = ("product_uid", "connection", goods.key, *goods.columns, "updated_at")
            self._world.store.insert_many(self._tx, goods.table, columns, self._new[name])
            values = ", ".join(f"{column} = ?" for column in (*goods.columns, "updated_at"))
            many(self._world, self._tx, f"UPDATE {name} SET {values} WHERE {place}", self._moved[name])
            many(self._world, self._tx, f"DELETE FROM {name} WHERE {place}", self._gone[name])
