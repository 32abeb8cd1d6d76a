"""A 1C base that publishes the standard OData interface (v3), with its limits and manners.

No page is ever cut by itself, no order is kept without $orderby, a hidden row fails the whole list unless allowedOnly is
asked for, DELETE removes for good, a tabular part is replaced whole, a moved DataVersion answers 412, and a call beyond the
pool of sessions is refused. Facts: the platform's documentation of its OData interface.

State: {"sets": {set: [row]}, "version", "moment", "hidden": {set: [Ref_Key]}, "unpostable": [Ref_Key], "published": [set],
"plan": {"contents": [set], "changes": {"set|key": message number or null}}, "sessions": {id: last use}}.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from tests.peers.http import Answer, Call, HttpPeer
from tests.peers.odata_query import Context, Reference, Refused, Row, literal, parse
from tests.peers.odata_schema import CONFIGURATIONS, B, D, Entity, G, I, N, metadata
from tests.peers.odata_wire import EMPTY, detail_of, entry, from_atom, listing, refusal, single

SESSION_SECONDS = 20
_ADDRESS = re.compile(r"^(?P<set>[^/(]+)(?:\((?P<key>[^)]*)\))?(?:/(?P<tail>.+))?$")


class ODataPeer(HttpPeer):
    """`with ODataPeer("ut") as base:` then `base.root`. `pool`: sessions at a time."""

    def __init__(
        self, configuration: str = "ut", login: str = "odata", password: str = "secret", pool: int = 2
    ) -> None:
        self.entities = CONFIGURATIONS[configuration]
        self.login, self.password, self.pool = login, password, pool
        self._at_work = 0
        super().__init__()
        self.root = f"{self.url}/base/odata/standard.odata"

    def fresh(self) -> dict[str, Any]:
        return {
            "sets": {name: [] for name in self.entities},
            "version": 0,
            "hidden": {},
            "unpostable": [],
            "published": list(self.entities),
            "plan": {"contents": [], "changes": {}},
            "sessions": {},
            "turn": 0,
        }

    # What people do in 1C

    def put(self, name: str, **values: Any) -> dict[str, Any]:
        """Somebody writes a row in 1C: a new one, or the one with this key."""
        with self.lock:
            entity = self.entities[name]
            rows = self.state["sets"][name]
            key = [values.get(k) for k in entity.keys]
            row = next((r for r in rows if [r.get(k) for k in entity.keys] == key), None)
            if row is None:
                if entity.keys == ("Ref_Key",):
                    values.setdefault("Ref_Key", str(uuid.uuid4()))
                row = {p: EMPTY.get(t, "") for p, t in entity.props.items()} | {t: [] for t in entity.tables}
                rows.append(row)
            self._set(name, entity, row, values)
            return dict(row)

    def row(self, name: str, key: str) -> dict[str, Any]:
        return next(r for r in self.state["sets"][name] if r.get("Ref_Key") == key)

    def _set(self, name: str, entity: Entity, row: dict[str, Any], values: dict[str, Any]) -> None:
        for field, value in values.items():
            if field in entity.tables:
                if unknown := {k for one in value for k in one} - entity.tables[field].keys():
                    raise Refused(10, f"Свойство не найдено: {sorted(unknown)}")
                row[field] = [
                    {p: EMPTY.get(t, "") for p, t in entity.tables[field].items()}
                    | {"Ref_Key": row.get("Ref_Key", ""), "LineNumber": str(number)}
                    | {k: _stored(entity.tables[field].get(k, ""), v) for k, v in one.items() if k != "LineNumber"}
                    for number, one in enumerate(value, 1)
                ]
            elif field in entity.props:
                row[field] = _stored(entity.props[field], value)
            else:
                raise Refused(10, f"Свойство не найдено: {field}")
        if "DataVersion" in entity.props:
            self.state["version"] += 1
            row["DataVersion"] = base64.b64encode(self.state["version"].to_bytes(8, "big")).decode()
        if name in self.state["plan"]["contents"]:
            self.state["plan"]["changes"][f"{name}|{row['Ref_Key']}"] = None

    # The wire

    def respond(self, call: Call) -> Answer | None:
        with self.lock:
            self._at_work += 1
            crowded = self._at_work > self.pool and not call.path.startswith("/_peer/")
        try:
            return Answer("Нет свободных сеансов", 503) if crowded else super().respond(call)
        finally:
            with self.lock:
                self._at_work -= 1

    def handle(self, call: Call) -> Answer:
        detail = detail_of(call.headers, call.query)
        if not self._known(call):
            return Answer("<html>Не удалось авторизоваться</html>", 401, {"WWW-Authenticate": 'Basic realm="1C"'})
        session = self._session(call)
        if isinstance(session, Answer):
            return session
        prefix = "/base/odata/standard.odata"
        if not call.path.startswith(prefix):
            return Answer("<html>Not found</html>", 404)
        try:
            answer = self._answer(call, unquote(call.path.removeprefix(prefix)).strip("/"), detail)
        except Refused as error:
            answer = refusal(error, detail)
        answer.headers.update(session)
        return answer

    def _known(self, call: Call) -> bool:
        given = call.headers.get("authorization", "")
        wanted = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        return given == f"Basic {wanted}"

    def _session(self, call: Call) -> dict[str, str] | Answer:
        """An explicit session: start, use, finish. Without the header the platform takes one of its pool by itself."""
        sessions, now = self.state["sessions"], time.time()
        for id in [i for i, used in sessions.items() if now - used > SESSION_SECONDS]:
            del sessions[id]
        word = call.headers.get("ibsession", "")
        if word == "start":
            if len(sessions) >= self.pool:
                return Answer("Превышено количество сеансов", 406)
            sessions[id := uuid.uuid4().hex] = now
            return {"Set-Cookie": f"ibsession={id}"}
        if match := re.search(r"ibsession=(\w+)", call.headers.get("cookie", "")):
            if match[1] not in sessions:
                return Answer("Сеанс не найден", 400)
            sessions[match[1]] = now
            if word == "finish":
                del sessions[match[1]]
        return {}

    def _answer(self, call: Call, address: str, detail: str) -> Answer:
        if not address:
            value = [{"name": n, "url": n} for n in self.state["published"]]
            return Answer(json.dumps({"value": value}), headers={"Content-Type": "application/json;charset=utf-8"})
        if address == "$metadata":
            published = {n: e for n, e in self.entities.items() if n in self.state["published"]}
            return Answer(metadata(published), headers={"Content-Type": "application/xml"})
        if address in ("SelectChanges", "NotifyChangesReceived"):
            return self._exchange(call, address)
        match = _ADDRESS.match(address)
        name = match["set"] if match else ""
        if not match or name not in self.state["published"]:
            raise Refused(8, f"Тип сущности не найден: {name}", 404)
        entity = self.entities[name]
        if (match["key"] is not None and match["tail"] is None) or (match["tail"] or "").split("?")[0] in (
            "Post",
            "Unpost",
        ):
            return self._one(call, name, entity, match["key"] or "", match["tail"] or "", detail)
        tail = address[len(name) :].strip("/")
        if tail and tail != "$count":
            return self._virtual(call, name, entity, tail, detail)
        if call.method == "POST":
            return self._create(call, name, entity, detail)
        return self._list(call, name, entity, self.state["sets"][name], detail, tail == "$count")

    # Reading

    def _list(self, call: Call, name: str, entity: Entity, rows: list[Row], detail: str, counted: bool) -> Answer:
        query = call.query
        hidden = set(self.state["hidden"].get(name, []))
        if query.get("allowedOnly") == "true":
            rows = [r for r in rows if r.get("Ref_Key") not in hidden]
        if text := query.get("$filter"):
            keep, context = parse(text), self._context(entity)
            rows = [r for r in rows if keep(r, context)]
        if any(r.get("Ref_Key") in hidden for r in rows):
            raise Refused(20, "Недостаточно прав для работы с таблицей", 403)
        number = len(rows)
        if counted:
            return Answer(str(number), headers={"Content-Type": "text/plain"})
        rows = self._ordered(entity, rows, query.get("$orderby", ""))
        rows = rows[_natural(query, "$skip", 0) :]
        rows = rows[: _natural(query, "$top", len(rows))]
        found = [self._selected(entity, r, query.get("$select", "*"), query.get("$expand", "")) for r in rows]
        count = number if query.get("$inlinecount") == "allpages" else None
        return listing(self.root, name, entity, found, count, detail)

    def _ordered(self, entity: Entity, rows: list[Row], text: str) -> list[Row]:
        if not text:  # no order is promised: it changes from call to call
            self.state["turn"] += 1
            at = self.state["turn"] % (len(rows) or 1)
            return [*rows[at:], *rows[:at]]
        context, rows = self._context(entity), list(rows)
        for part in reversed(text.split(",")):
            words = part.split()
            key = parse(words[0])
            rows.sort(key=lambda r, k=key: _sortable(k(r, context)), reverse=words[-1] == "desc")  # type: ignore[misc]
        return rows

    def _selected(self, entity: Entity, row: Row, text: str, expand: str = "") -> dict[str, Any]:
        """The properties asked for, with the records behind the expanded references. Tabular parts come by themselves."""
        behind: dict[str, Any] = {}
        for name in filter(None, (n.strip() for n in expand.split(","))):
            if name not in entity.refs:
                raise Refused(14, f"Недопустимый параметр $expand: {name}")
            behind[name] = self._target(entity, row, name)
        chosen = self._chosen(
            entity, row, [n.strip() for n in text.split(",") if n.strip().split("/")[0] not in behind]
        )
        return {**chosen, **behind}

    def _chosen(self, entity: Entity, row: Row, names: list[str]) -> dict[str, Any]:
        if "*" in names:
            return dict(row)
        if "**" in names:
            return {n: v for n, v in row.items() if n not in entity.tables}
        found: dict[str, Any] = {}
        for name in names:
            plain = name.removesuffix("____Presentation")
            if plain not in row and plain not in entity.refs:
                raise Refused(10, f"Свойство не найдено: {name}")
            if name != plain:
                target = self._target(entity, row, plain.removesuffix("_Key"))
                found[name] = target.get("Description") or target.get("Number", "") if target else ""
            else:
                found[name] = row[plain]
        return found

    def _context(self, entity: Entity) -> Context:
        def value(row: Row, path: list[str]) -> Any:
            if len(path) > 1:
                target = self._target(entity, row, path[0])
                if target is None:
                    if path[0] not in entity.refs:
                        raise Refused(10, f"Свойство не найдено: {path[0]}")
                    return None
                return value(target, path[1:]) if len(path) > 2 else _typed(target.get(path[1]), "")
            name = path[0]
            if name not in row:
                raise Refused(10, f"Свойство не найдено: {name}")
            if row.get(f"{name}_Type"):
                return Reference(str(row[name]).lower(), str(row[f"{name}_Type"]).removeprefix("StandardODATA."))
            types = {**entity.props, **{k: v for t in entity.tables.values() for k, v in t.items()}}
            return _typed(row[name], types.get(name, ""))

        return Context(value, {})

    def _target(self, entity: Entity, row: Row, name: str) -> dict[str, Any] | None:
        rows = self.state["sets"].get(entity.refs.get(name, ""), [])
        return next((r for r in rows if r["Ref_Key"] == row.get(f"{name}_Key")), None)

    def _virtual(self, call: Call, name: str, entity: Entity, tail: str, detail: str) -> Answer:
        match = re.match(r"^(\w+)\((.*)\)$", tail, re.S) or re.match(r"^(\w+)()$", tail)
        if match is None or match[1] not in entity.virtual:
            raise Refused(11, f"Метод не найден: {tail}")
        given = _arguments(match[2])
        rows = self.state["sets"][name]
        if "Period" in given:
            rows = [r for r in rows if _typed(r["Period"], D) <= literal(given["Period"])]
        if "Condition" in given:
            keep, context = parse(given["Condition"][1:-1].replace("''", "'")), self._context(entity)
            rows = [r for r in rows if keep(r, context)]
        if match[1] == "SliceLast":
            found = _last(entity, rows)
        elif match[1] == "Turnovers":
            found = _turnovers(entity, rows, given.get("Dimensions", "''")[1:-1])
        else:
            found = _balance(entity, rows)
        return self._list(call, name, entity, found, detail, False)

    # Writing

    def _one(self, call: Call, name: str, entity: Entity, key: str, action: str, detail: str) -> Answer:
        row = self._found(name, entity, key)
        if action:
            return self._post(name, row, action)
        if call.method == "GET":
            if row["Ref_Key"] in self.state["hidden"].get(name, []) if "Ref_Key" in row else False:
                raise Refused(20, "Недостаточно прав для работы с таблицей", 403)
            return single(self.root, name, entity, self._selected(entity, row, call.query.get("$select", "*")), detail)
        asked = call.headers.get("if-match")
        if asked and asked.strip('"') not in ("*", row.get("DataVersion")):
            raise Refused(-1, "Версия объекта изменилась", 412)
        if call.method == "DELETE":
            self.state["sets"][name].remove(row)
            return Answer(b"", 204)
        if call.method not in ("PATCH", "PUT"):
            raise Refused(19, "Метод запрещен", 405)
        values = self._body(call)
        if call.method == "PUT":
            values = {p: EMPTY.get(t, "") for p, t in entity.props.items() if p not in entity.keys} | values
        values.pop("DataVersion", None)
        if row.get("Posted") and "Статус" in values and row["Ref_Key"] in self.state["unpostable"]:
            raise Refused(-1, "Не удалось провести документ", 500)
        self._set(name, entity, row, {k: v for k, v in values.items() if k not in entity.keys})
        if "СуммаДокумента" in entity.props and values.keys() & {
            *entity.tables,
            "СтоимостьДоставки",
            "СуммаНДСДоставки",
        }:
            row["СуммаДокумента"] = str(ADDED[name](row)) if name in ADDED else row["СуммаДокумента"]
        return single(self.root, name, entity, row, detail)

    def _create(self, call: Call, name: str, entity: Entity, detail: str) -> Answer:
        values = self._body(call)
        if any(
            [r.get(k) for k in entity.keys] == [values.get(k) for k in entity.keys] for r in self.state["sets"][name]
        ):
            raise Refused(15, "Запись с такими ключевыми полями существует")
        key = {"Ref_Key": values.pop("Ref_Key", None) or str(uuid.uuid4())} if entity.keys == ("Ref_Key",) else {}
        if "Number" in entity.props:
            values.setdefault("Number", f"0000-{len(self.state['sets'][name]) + 1:06}")
        row = self.put(name, **values, **key)
        answer = single(self.root, name, entity, row, detail, 201)
        answer.headers["Location"] = f"{self.root}/{name}(guid'{row.get('Ref_Key', '')}')".encode().decode("latin-1")
        return answer

    def _post(self, name: str, row: dict[str, Any], action: str) -> Answer:
        if "Posted" not in row:
            raise Refused(11, f"Метод не найден: {action}")
        if row["Ref_Key"] in self.state["unpostable"]:
            raise Refused(-1, "Error running processor - 'ОбработкаПроведения'", 500)
        self._set(name, self.entities[name], row, {"Posted": action.startswith("Post")})
        return Answer(b"", 200)

    def _body(self, call: Call) -> dict[str, Any]:
        if "xml" in call.headers.get("content-type", ""):
            return from_atom(call.body)
        try:
            found = json.loads(call.body, parse_float=str)
        except ValueError:
            raise Refused(3, "Неверный формат данных") from None
        if not isinstance(found, dict):
            raise Refused(3, "Неверный формат данных")
        return {k: v for k, v in found.items() if not k.startswith("odata.") and "@" not in k}

    def _found(self, name: str, entity: Entity, key: str) -> dict[str, Any]:
        given = _arguments(key) if "=" in key else {entity.keys[0]: key}
        if set(given) != set(entity.keys):
            raise Refused(7, "Не задана часть ключа")
        wanted = {n: literal(text) for n, text in given.items()}
        for row in self.state["sets"][name]:
            if all(_typed(row.get(n), entity.props[n]) == v for n, v in wanted.items()):
                return row  # type: ignore[no-any-return]
        raise Refused(9, "Экземпляр сущности не найден", 404)

    # Changes by an exchange plan

    def _exchange(self, call: Call, address: str) -> Answer:
        plan, number = self.state["plan"], _natural(call.query, "MessageNo", 0)
        if "ExchangePlan_" not in unquote(call.query.get("DataExchangePoint", "")):
            raise Refused(12, "Не задан параметр DataExchangePoint")
        changes: dict[str, Any] = plan["changes"]
        if address == "NotifyChangesReceived":
            plan["changes"] = {k: n for k, n in changes.items() if n is None or n > number}
            return Answer(b"", 200)
        parts = []
        for key in changes:
            changes[key] = number
            name, _, ref = key.partition("|")
            row = next((r for r in self.state["sets"][name] if r["Ref_Key"] == ref), None)
            if row is None:
                parts.append(
                    f'<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" '
                    f'ref="{self.root}/{name}(guid\'{ref}\')" when="2026-03-01T09:00:00Z"/>'
                )
            else:
                parts.append(entry(self.root, name, self.entities[name], row))
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
            'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
            'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">' + "".join(parts) + "</feed>",
            headers={"Content-Type": "application/atom+xml;type=feed;charset=utf-8"},
        )

    def remove(self, name: str, key: str) -> None:
        """Somebody deletes for good in 1C."""
        with self.lock:
            self.state["sets"][name].remove(self.row(name, key))
            if name in self.state["plan"]["contents"]:
                self.state["plan"]["changes"][f"{name}|{key}"] = None


def _sum(rows: list[dict[str, Any]], *columns: str) -> Decimal:
    return sum((Decimal(str(row[name] or 0)) for row in rows for name in columns), Decimal(0))


def _added_by_unf(row: dict[str, Any]) -> Decimal:
    mine = [one for one in row["Запасы"] if not one.get("ЭтоРазделитель")]
    mine = [one for one in mine if Decimal(one.get("НомерВариантаКП") or 0) == Decimal(row["ОсновнойВариантКП"] or 0)]
    taxed = () if row["СуммаВключаетНДС"] else ("СуммаНДСДоставки",)
    return _sum(mine, "Всего") + _sum(row["Работы"], "Всего") + _sum([row], "СтоимостьДоставки", *taxed)


def _added_by_bp(row: dict[str, Any]) -> Decimal:
    """Of all parts but what is given back (ВозвратнаяТара), less the discounts of lines and of the whole."""
    taxed = () if row["СуммаВключаетНДС"] else ("СуммаНДС",)
    rows = [one for part in ("Товары", "УдалитьУслуги", "Услуги") for one in row.get(part) or []]
    return _sum(rows, "Сумма", *taxed) - _sum([*row["Товары"], row], "СуммаСкидки")


# 1C adds the document's sum up itself when it writes, whatever was sent
ADDED = {
    "Document_ЗаказКлиента": lambda row: _sum([one for one in row["Товары"] if not one["Отменено"]], "СуммаСНДС"),
    "Document_ЗаказПокупателя": _added_by_unf,
    "Document_СчетНаОплатуПокупателю": _added_by_bp,
}


def _stored(kind: str, value: Any) -> Any:
    if kind == N:
        return str(value)
    if kind == G and isinstance(value, str):
        return value.lower()
    if kind == B and not isinstance(value, bool):
        raise Refused(16, f"Значение не может быть присвоено: {value}")
    return str(value) if kind == I else value


def _typed(value: Any, kind: str) -> Any:
    if kind in (N, I) and value is not None:
        return Decimal(str(value))
    return literal(f"datetime'{value}'") if kind == D and value else value


def _sortable(value: Any) -> Any:
    return (value is not None, value.id if isinstance(value, Reference) else value)


def _natural(query: dict[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    if text and not text.isdigit():
        raise Refused(14, f"Неверный параметр {name}")
    return int(text) if text else otherwise


def _arguments(text: str) -> dict[str, str]:
    """Named arguments whose values may hold quotes, commas and brackets."""
    pairs = re.findall(r"(\w+)=((?:guid|datetime)?'(?:[^']|''|'(?=[^,)]))*'|[^,]*)", text)
    return {name: value.strip() for name, value in pairs}


def _last(entity: Entity, rows: list[Row]) -> list[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda r: str(r["Period"])):
        found[tuple(row[d] for d in entity.dimensions)] = row
    return list(found.values())


def _balance(entity: Entity, rows: list[Row]) -> list[Row]:
    """Receipts less expenses by dimension, named <resource>Balance; what is zero is left out."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    resources = [p for p, t in entity.props.items() if t == N]
    for row in rows:
        key = tuple(row[d] for d in entity.dimensions)
        sums = found.setdefault(
            key, {**dict(zip(entity.dimensions, key, strict=True)), **{f"{r}Balance": Decimal(0) for r in resources}}
        )
        for name in resources:
            sign = -1 if row.get("RecordType") == "Expense" else 1
            sums[f"{name}Balance"] += sign * Decimal(str(row[name]))
    kept = [r for r in found.values() if any(r[f"{n}Balance"] for n in resources)]
    return [{k: str(v) if isinstance(v, Decimal) else v for k, v in r.items()} for r in kept]


def _turnovers(entity: Entity, rows: list[Row], text: str) -> list[Row]:
    """Sums by the dimensions that were asked for (all of them otherwise), named <resource>Turnover."""
    wanted = [n.strip() for n in text.split(",") if n.strip()]
    chosen = [d for d in entity.dimensions if not wanted or d.removesuffix("_Key").removesuffix("_Type") in wanted]
    resources = [p for p, t in entity.props.items() if t == N]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[d] for d in chosen)
        sums = found.setdefault(
            key, {**dict(zip(chosen, key, strict=True)), **{f"{r}Turnover": Decimal(0) for r in resources}}
        )
        for name in resources:
            sums[f"{name}Turnover"] += Decimal(str(row[name]))
    return [{k: str(v) if isinstance(v, Decimal) else v for k, v in r.items()} for r in found.values()]
