"""How 1C's OData writes its answers: JSON in three details, atom, and errors in both."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import orjson

from tests.peers.http import Answer
from tests.peers.odata_query import Refused
from tests.peers.odata_schema import B, D, Entity, G, I, N

_ATOM = "http://www.w3.org/2005/Atom"
_D = "http://schemas.microsoft.com/ado/2007/08/dataservices"
_M = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
EMPTY_GUID = "00000000-0000-0000-0000-000000000000"
EMPTY: dict[str, Any] = {G: EMPTY_GUID, B: False, N: "0", I: "0", D: "0001-01-01T00:00:00"}


def detail_of(headers: dict[str, str], query: dict[str, str]) -> str:
    """ "atom", or the JSON detail: nometadata, minimalmetadata, fullmetadata."""
    asked = f"{query.get('$format', '')};{headers.get('accept', '')}".lower()
    if query.get("$format", "").lower() == "atom" or "json" not in asked:
        return "atom"
    for detail in ("nometadata", "fullmetadata"):
        if f"odata={detail}" in asked.replace(" ", ""):
            return detail
    return "minimalmetadata"


def shown(entity: Entity, row: dict[str, Any], types: dict[str, str] | None = None) -> dict[str, Any]:
    """A row as JSON shows it: Double as a number, Int64 as text."""
    types = types if types is not None else entity.props
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in entity.tables and isinstance(value, list):
            found[name] = [shown(entity, one, entity.tables[name]) for one in value]
        elif types.get(name.removesuffix("Balance")) == N and value is not None:
            found[name] = orjson.Fragment(str(value))
        else:
            found[name] = value
    return found


def listing(root: str, name: str, entity: Entity, rows: list[dict[str, Any]], count: int | None, detail: str) -> Answer:
    if detail == "atom":
        entries = "".join(entry(root, name, entity, row) for row in rows)
        counted = f"<m:count>{count}</m:count>" if count is not None else ""
        return _xml(f'<feed {_spaces()}><title type="text">{name}</title>{counted}{entries}</feed>', "feed")
    body: dict[str, Any] = {}
    if detail != "nometadata":
        body["odata.metadata"] = f"{root}/$metadata#{name}"
    if count is not None:
        body["odata.count"] = str(count)
    body["value"] = [_detailed(root, name, entity, row, detail) for row in rows]
    return _json(body)


def single(root: str, name: str, entity: Entity, row: dict[str, Any], detail: str, status: int = 200) -> Answer:
    if detail == "atom":
        answer = _xml(entry(root, name, entity, row, alone=True), "entry")
        answer.status = status
        return answer
    body: dict[str, Any] = {}
    if detail != "nometadata":
        body["odata.metadata"] = f"{root}/$metadata#{name}/@Element"
    return _json({**body, **_detailed(root, name, entity, row, detail)}, status)


def _detailed(root: str, name: str, entity: Entity, row: dict[str, Any], detail: str) -> dict[str, Any]:
    found = shown(entity, row)
    if detail == "fullmetadata":
        address = f"{name}(guid'{row.get('Ref_Key', EMPTY_GUID)}')"
        found = {
            "odata.type": f"StandardODATA.{name}",
            "odata.id": f"{root}/{address}",
            "odata.editLink": address,
            **found,
        }
    return found


def entry(root: str, name: str, entity: Entity, row: dict[str, Any], alone: bool = False) -> str:
    address = f"{root}/{name}(guid'{row.get('Ref_Key', EMPTY_GUID)}')"
    cells = "".join(_cell(entity, n, v) for n, v in row.items())
    spaces = f" {_spaces()}" if alone else ""
    return (
        f"<entry{spaces}><id>{escape(address)}</id><title/><updated>2026-03-01T09:00:00Z</updated><author/>"
        f'<category term="StandardODATA.{name}" scheme="{_D}/scheme"/><content type="application/xml">'
        f"<m:properties>{cells}</m:properties></content></entry>"
    )


def _cell(entity: Entity, name: str, value: Any) -> str:
    if value is None:
        return f'<d:{name} m:null="true"/>'
    if isinstance(value, list):
        rows = "".join(
            f"<d:element>{''.join(_cell(entity, n, v) for n, v in one.items())}</d:element>" for one in value
        )
        return f"<d:{name}>{rows}</d:{name}>"
    kind = entity.props.get(name, "Edm.String")
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return f"<d:{name} m:type={quoteattr(kind)}>{escape(text)}</d:{name}>"


def from_atom(body: bytes) -> dict[str, Any]:
    """The properties of an entry as it is posted."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise Refused(3, "Неверный формат данных") from None
    found: dict[str, Any] = {}
    for cell in root.iterfind(f".//{{{_M}}}properties/*"):
        text, kind = cell.text or "", cell.get(f"{{{_M}}}type", "")
        null = cell.get(f"{{{_M}}}null") == "true"
        found[cell.tag.partition("}")[2]] = None if null else text == "true" if kind == B else text
    return found


def refusal(error: Refused, detail: str) -> Answer:
    if detail == "atom":
        answer = _xml(
            f'<m:error xmlns:m="{_M}"><m:code>{error.code}</m:code><m:message xml:lang="ru">{escape(error.message)}'
            "</m:message></m:error>",
            "error",
        )
        answer.status = error.status
        return answer
    return _json(
        {"odata.error": {"code": str(error.code), "message": {"lang": "ru", "value": error.message}}}, error.status
    )


def _spaces() -> str:
    return f'xmlns="{_ATOM}" xmlns:d="{_D}" xmlns:m="{_M}"'


def _xml(text: str, kind: str) -> Answer:
    content = {
        "feed": "application/atom+xml;type=feed;charset=utf-8",
        "entry": "application/atom+xml;type=entry;charset=utf-8",
    }
    return Answer(
        '<?xml version="1.0" encoding="UTF-8"?>\n' + text,
        headers={"Content-Type": content.get(kind, "application/xml")},
    )


def _json(body: Any, status: int = 200) -> Answer:
    return Answer(orjson.dumps(body), status, {"Content-Type": "application/json;charset=utf-8"})
