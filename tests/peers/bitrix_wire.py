"""PHP's ways on the wire of the Bitrix24 stand-in: nested brackets, lists that are maps, `$result[…]` references."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote

REFERENCE = re.compile(r"\$result((?:\[[^\]]*\])+)")


def parse_str(text: str) -> dict[str, Any]:
    """What PHP's parse_str makes of a query string: `a[b][]=1` is {"a": {"b": ["1"]}}."""
    return nested(parse_qsl(text, keep_blank_values=True))


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        head, _, rest = name.partition("[")
        keys = [head, *re.findall(r"([^\]]*)\]\[?", rest)] if rest else [head]
        node = found
        for key in keys[:-1]:
            step = key or str(len(node))
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                break
        else:
            node[keys[-1] or str(len(node))] = value
    return {key: listed(value) for key, value in found.items()}


def listed(value: Any) -> Any:
    """A map whose keys are 0, 1, 2… is a list in PHP's JSON."""
    if not isinstance(value, dict):
        return value
    items = {key: listed(item) for key, item in value.items()}
    return list(items.values()) if items and list(items) == [str(n) for n in range(len(items))] else items


def php_map(value: dict[str, Any]) -> Any:
    """How PHP's json_encode shows an array: an empty map and a map numbered from 0 are lists."""
    numbered = all(str(key) == str(n) for n, key in enumerate(value))
    return list(value.values()) if numbered else value


def build_query(name: str, value: Any) -> list[tuple[str, str]]:
    """The pairs of a form for a nested value."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in build_query(f"{name}[{key}]", item)]
    if isinstance(value, list):
        return [pair for n, item in enumerate(value) for pair in build_query(f"{name}[{n}]", item)]
    return [(name, "" if value is None else str(value))]


def form(values: dict[str, Any]) -> bytes:
    """A nested value as PHP's http_build_query sends it, brackets percent-encoded."""
    pairs = [pair for name, value in values.items() for pair in build_query(name, value)]
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs).encode()


def resolved(value: Any, results: dict[str, Any]) -> Any:
    """`$result[command][field]…` replaced by what that command gave; nothing where it gave nothing."""
    if isinstance(value, dict):
        return {key: resolved(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, results) for item in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return _looked_up(whole[1], results)
    return REFERENCE.sub(lambda match: str(_looked_up(match[1], results)), value)


def _looked_up(path: str, results: dict[str, Any]) -> Any:
    node: Any = results
    for key in re.findall(r"\[([^\]]*)\]", path):
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return ""
    return "" if node is None else node
