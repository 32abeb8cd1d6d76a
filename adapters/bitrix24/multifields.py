"""Phones and addresses of the portal: lists of values with ids of their own.

On an update, a value given with its id is changed, with DELETE = Y removed, without an id added; what is not mentioned
stays as it is (documentation of crm.contact.update). So only what differs is sent, and everybody else's ids are kept.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.base import Native

NEW_TYPE = "WORK"


def canonical(name: str, value: Any) -> str:
    """Equal for two ways of writing one phone (digits, a leading 8 as 7) or address."""
    text = str(value).strip()
    if name != "PHONES":
        return text.lower()
    digits = re.sub(r"\D", "", text)
    return "7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else digits or text.lower()


def same_values(name: str, one: Any, other: Any) -> bool:
    """As sets: the portal keeps its own order."""
    return _set(name, one) == _set(name, other)


def new_values(values: Any) -> list[Native]:
    """All values of a new record."""
    return [{"VALUE": value, "VALUE_TYPE": NEW_TYPE} for value in _texts(values)]


def changed_values(name: str, old: Any, wanted: Any) -> list[Native]:
    """What to send so that the multifield holds the wanted values: kept ones are not mentioned, a single replaced one keeps
    its id and type."""
    items = [item for item in old if isinstance(item, dict) and item.get("ID")] if isinstance(old, list) else []
    keys = {canonical(name, value) for value in _texts(wanted)}
    have = {canonical(name, item.get("VALUE")) for item in items}
    out = [item for item in items if canonical(name, item.get("VALUE")) not in keys]
    new = [value for value in _texts(wanted) if canonical(name, value) not in have]
    if len(out) == len(new) == 1:
        return [{"ID": out[0]["ID"], "VALUE": new[0], "VALUE_TYPE": out[0].get("VALUE_TYPE") or NEW_TYPE}]
    return [{"ID": item["ID"], "DELETE": "Y"} for item in out] + new_values(new)


def _set(name: str, values: Any) -> set[str]:
    return {canonical(name, value) for value in _texts(values)}


def _texts(values: Any) -> list[str]:
    items = values if isinstance(values, list) else [] if values is None else [values]
    return [str(item).strip() for item in items if str(item).strip()]
