"""Lists of the shop stand-in: paging, order and the date filters with their measured oddities."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.peers import woo_hooks
from tests.peers.http import Answer

Row = dict[str, Any]


def error(status: int, code: str, message: str, **data: Any) -> Answer:
    return Answer({"code": code, "message": message, "data": {"status": status, **data}}, status)


def invalid(name: str, message: str) -> Answer:
    return error(400, "rest_invalid_param", f"Invalid parameter(s): {name}", params={name: message})


def listing(state: dict[str, Any], url: str, kind: str, query: dict[str, str]) -> Answer:
    """One page of orders, products or webhooks."""
    size, page, offset = (
        query.get(name, default) for name, default in (("per_page", "10"), ("page", "1"), ("offset", ""))
    )
    if not (size.isdecimal() and 1 <= int(size) <= 100):
        return invalid("per_page", "per_page must be between 1 (inclusive) and 100 (inclusive)")
    if not (page.isdecimal() and int(page) >= 1):
        return invalid("page", "page must be greater than or equal to 1")
    if query.get("orderby", "date") not in ("date", "id", "include", "title", "slug", "modified"):
        return invalid("orderby", "orderby is not one of date, id, include, title, slug, and modified.")
    try:
        rows = [row for row in state[kind].values() if _wanted(state, row, query)]
    except _Bad as bad:
        return invalid(bad.args[0], bad.args[1])
    order_by = {"modified": "date_modified_gmt", "date": "date_created_gmt"}.get(query.get("orderby", "date"), "id")
    rows.sort(key=lambda r: (r.get(order_by) or "", r["id"]) if order_by != "id" else (0, r["id"]))
    if query.get("order", "desc") == "desc":
        rows.reverse()
    start = int(offset) if offset else (int(page) - 1) * int(size)
    pages = -(-len(rows) // int(size))
    headers = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(pages)}
    if int(page) < pages:
        headers["Link"] = f'<{url}/wp-json/wc/v3/{kind}?page={int(page) + 1}>; rel="next"'
    found = rows[start : start + int(size)]
    return Answer([fields(woo_hooks.public(r) if kind == "webhooks" else r, query) for r in found], 200, headers)


def _wanted(state: dict[str, Any], row: Row, query: dict[str, str]) -> bool:
    statuses = query.get("status", "any").split(",")
    for status in statuses:
        if status not in (*state["statuses"], "any", "trash", "auto-draft", "publish", "draft", "active"):
            raise _Bad("status", "status[0] is not one of " + ", ".join(state["statuses"]))
    if "any" in statuses:
        if row.get("status") in ("trash", "auto-draft"):
            return False
    elif row.get("status") not in statuses:
        return False
    if "include" in query and str(row["id"]) not in query["include"].split(","):
        return False
    if "sku" in query and row.get("sku") not in query["sku"].split(","):
        return False
    return all(
        _date_fits(state, row, query, name, column)
        for name, column in (
            ("modified_after", "modified"),
            ("modified_before", "modified"),
            ("after", "created"),
            ("before", "created"),
        )
    )


def _date_fits(state: dict[str, Any], row: Row, query: dict[str, str], name: str, column: str) -> bool:
    if name not in query:
        return True
    try:
        bound = datetime.fromisoformat(query[name])
    except ValueError:
        raise _Bad(name, "Invalid date.") from None
    if bound.tzinfo is not None:  # a zone is turned into the shop's own time, flag or not: hence the silent losses
        bound = bound.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=state["tz"])
    gmt = query.get("dates_are_gmt") in ("1", "true") and not state["ignore_gmt_flag"]
    own = datetime.fromisoformat(row[f"date_{column}_gmt" if gmt else f"date_{column}"])
    return own > bound if name.endswith("after") else own < bound


class _Bad(Exception):
    """A parameter and what is wrong with it."""


def fields(row: Row, query: dict[str, str]) -> Row:
    wanted = [name for name in re.split(r"[,\s]+", query.get("_fields", "")) if name]
    if wanted:
        return {k: v for k, v in row.items() if k in wanted}
    return {**row, "_links": {"self": [{"href": f"https://shop.example/wp-json/wc/v3/orders/{row['id']}"}]}}
