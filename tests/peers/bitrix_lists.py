"""crm.*.list of the Bitrix24 stand-in: filters with operators, select, order, pages of 50.

Kept quirks: a field that does not exist is ignored in silence, in filters too; `start=-1` counts nothing and gives no
`next`; any other start is rounded down to a whole page; multifields come only when they are selected by name.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from tests.peers.bitrix_data import FIELDS, MULTI, Row

PAGE = 50
_OPERATOR = re.compile(r"(>=|<=|!=|!@|!%|=%|%=|>|<|@|!|%|=)?(.*)", re.DOTALL)
_NUMBERS = ("integer", "double", "user", "crm_contact", "crm_company", "crm_category", "crm_lead")


class Wrong(Exception):
    """A parameter that the method refuses, with the vendor's words."""


def listing(kind: str, rows: list[Row], params: dict[str, Any]) -> tuple[list[Row], int, int | None]:
    """(page, total, next) of a list call."""
    wanted = params.get("filter") or {}
    if not isinstance(wanted, dict):
        raise Wrong("Parameter 'filter' must be array.")
    found = rows  # by their ids, as they were made
    after_id = wanted.get(">ID")
    if isinstance(after_id, int) or (isinstance(after_id, str) and after_id.isdecimal()):
        found = [row for row in rows if int(row["ID"]) > int(after_id)]  # the commonest filter of long walks
        wanted = {key: value for key, value in wanted.items() if key != ">ID"}
    if wanted:
        found = [row for row in found if all(_fits(kind, row, key, value) for key, value in wanted.items())]
    order = params.get("order") or {"ID": "ASC"}
    if not isinstance(order, dict):
        raise Wrong("Parameter 'order' must be array.")
    plain = [(str(name).upper(), str(way).upper()) for name, way in order.items()] == [("ID", "ASC")]
    for given, way in [] if plain else reversed(list(order.items())):
        name = given.upper()
        if name in FIELDS[kind]:
            found = sorted(found, key=partial(_key, kind, name), reverse=str(way).upper() == "DESC")
    select = params.get("select") or ["*"]
    if isinstance(select, dict):
        select = list(select.values())
    start = int(params.get("start") or 0)
    if start == -1:
        return [chosen(kind, row, select) for row in found[:PAGE]], 0, None
    start = max(0, start) // PAGE * PAGE
    after = start + PAGE if start + PAGE < len(found) else None
    return [chosen(kind, row, select) for row in found[start : start + PAGE]], len(found), after


def chosen(kind: str, row: Row, select: list[str]) -> Row:
    names = {"ID"}
    for name in select:
        if name == "*":
            names |= {n for n in row if n not in MULTI and not n.startswith("UF_")}
        elif name == "UF_*":
            names |= {n for n in row if n.startswith("UF_")}
        else:
            names.add(name.upper())
    return {n: v for n, v in row.items() if n in names and n != "CONTACT_IDS"}


def _fits(kind: str, row: Row, key: str, wanted: Any) -> bool:
    operator, name = _OPERATOR.fullmatch(key).groups("")  # type: ignore[union-attr]
    name = name.upper()
    if name not in FIELDS[kind]:
        return True  # a misspelt field is ignored in silence
    if name in MULTI:
        return any(_compare(kind, name, item["VALUE"], operator, wanted) for item in row.get(name) or [])
    return _compare(kind, name, row.get(name), operator, wanted)


def _compare(kind: str, name: str, value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        wanted = list(wanted.values())
    if operator in ("", "=", "@") and isinstance(wanted, list):
        return any(_compare(kind, name, value, "=", one) for one in wanted)
    if operator in ("!", "!=", "!@"):
        return not _compare(kind, name, value, "@" if isinstance(wanted, list) else "=", wanted)
    if operator in ("%", "!%"):
        return (str(wanted).lower() in str(value or "").lower()) is (operator == "%")
    if operator in ("=%", "%="):
        pattern = re.escape(str(wanted).lower()).replace("%", ".*")
        return re.fullmatch(pattern, str(value or "").lower(), re.DOTALL) is not None
    one, other = _sortable(kind, name, value), _sortable(kind, name, wanted)
    if operator in ("", "="):
        return one == other
    if value is None:
        return False
    return {">": one > other, ">=": one >= other, "<": one < other, "<=": one <= other}[operator]


def _key(kind: str, name: str, row: Row) -> tuple[int, Any]:
    return _sortable(kind, name, row.get(name))


def _sortable(kind: str, name: str, value: Any) -> tuple[int, Any]:
    """Comparable among themselves: numbers as numbers, times as moments, texts without case."""
    type_ = FIELDS[kind].get(name, "string")
    if value in (None, ""):
        return (0, 0)
    if type_ in _NUMBERS:
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return (1, int(value))
        try:
            return (1, Decimal(str(value)))
        except ArithmeticError:
            return (2, str(value))
    if type_ in ("datetime", "date"):
        try:
            return (1, datetime.fromisoformat(str(value)).timestamp())
        except ValueError:
            return (0, 0)  # an unreadable date filters nothing away in a `>` and matches nothing in `=`
    return (2, str(value).lower())
