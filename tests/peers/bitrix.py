"""A Bitrix24 portal as its REST v2 is documented: leads, deals, contacts, companies, product rows, activities, batch, limits,
events.

Kept quirks: unknown fields and unknown stages are ignored in silence; crm.deal.update cannot change the pipeline; with
product rows the sum is computed anew unless IS_MANUAL_OPPORTUNITY is Y; multifields are changed value by value by their
ids; `productrow.set` replaces all rows; `add` has no idempotency; empty PHP maps arrive as `[]`; an answer with an error
has an empty `error` for "Not found"; events are sent once and carry only an id.

Switches in `state`: scope, auth (an error code for every call), rights ("" or kinds that may not be read), without
(beginnings of methods that an old portal does not have), limits (count calls in the leaky bucket), cost and operating_limit
(seconds per method), robot ({kind: {field: value}} set right after a creation, by the same user), error_status (200: errors
come with that status), tz (hours), `now` (naive UTC; "" is the real clock plus `offset` seconds) with `tick` seconds per
change.
"""

from __future__ import annotations

import copy
import json
import re
import time
from typing import Any

from tests.peers import bitrix_data as data
from tests.peers import bitrix_hooks
from tests.peers.bitrix_activities import Activities
from tests.peers.bitrix_lists import Wrong, listing
from tests.peers.bitrix_records import Records
from tests.peers.bitrix_wire import parse_str, php_map, resolved
from tests.peers.http import Answer, Call, HttpPeer

Row = dict[str, Any]
BUCKET, LEAK = 50, 2.0
STATUS = {
    "QUERY_LIMIT_EXCEEDED": 503, "OVERLOAD_LIMIT": 503, "OPERATION_TIME_LIMIT": 429, "NO_AUTH_FOUND": 401,
    "expired_token": 401, "INVALID_CREDENTIALS": 401, "insufficient_scope": 403, "ACCESS_DENIED": 403,
    "ERROR_METHOD_NOT_FOUND": 404, "INTERNAL_SERVER_ERROR": 500, "PORTAL_DELETED": 410,
}  # fmt: skip


class Refused(Exception):
    """An error of the REST: (error, error_description)."""


class BitrixPeer(Records, Activities, HttpPeer):
    """`webhook` is the address that an incoming webhook has there."""

    user, secret = "1", "peer0secret0token"

    def __init__(self, port: int = 0, **switches: Any) -> None:
        super().__init__(port)
        self.state.update(switches)

    @property
    def webhook(self) -> str:
        return f"{self.url}/rest/{self.user}/{self.secret}/"

    def fresh(self) -> Row:
        return {
            **{kind: {} for kind in data.KINDS},
            "rows": {},
            "activities": {},
            "comments": {},
            "next_id": dict.fromkeys((*data.KINDS, "multi", "row", "activity", "comment"), 0),
            "statuses": data.statuses(),
            "categories": data.categories(),
            "handlers": [],
            "queue": [],
            "scope": ["crm", "user"],
            "auth": "",
            "rights": [],
            "without": [],
            "limits": False,
            "bucket": [0.0, 0.0],
            "cost": {},
            "operating": {},
            "operating_limit": 480,
            "robot": {},
            "error_status": 0,
            "now": "",
            "offset": 0,
            "tick": 1,
            "tz": 3,
        }

    # what tests and people in the portal do --------------------------------------------------------------------------

    def add(self, kind: str, **fields: Any) -> str:
        """Somebody makes a record by hand; gives its id."""
        with self.lock:
            return self._add(kind, fields)

    def edit(self, kind: str, id: Any, **fields: Any) -> None:
        with self.lock:
            self._update(kind, str(id), fields, everything=True)

    def remove(self, kind: str, id: Any) -> None:
        with self.lock:
            self._delete(kind, str(id))

    def row(self, kind: str, id: Any) -> Row:
        with self.lock:
            return copy.deepcopy(self.state[kind][str(id)])

    def add_stage(self, code: str, name: str, category: int = 0, semantics: str | None = None) -> None:
        """A stage of the firm's own, as people make them under «Настроить CRM»."""
        with self.lock:
            rows = self.state["statuses"]
            entity, number = data.entity_of(category), len(rows) + 101
            rows.append(data.status(number, entity, code, name, semantics, 55, str(category) if category else None))

    def subscribe(self, url: str, token: str, *events: str) -> None:
        with self.lock:
            self.state["handlers"] += [{"event": event, "url": url, "token": token} for event in events]

    def deliver(self, url: str = "") -> list[int]:
        """Send the queued events; gives the HTTP answers (0 for none). Whatever they are, nothing is sent again."""
        with self.lock:
            queue, self.state["queue"] = self.state["queue"], []
            handlers = copy.deepcopy(self.state["handlers"])
        out = [(handlers[event["handler"]], event) for event in queue]
        return [bitrix_hooks.send(url or h["url"], bitrix_hooks.body(e, h, "peer.example.test")) for h, e in out]

    # the protocol --------------------------------------------------------------------------------------------------

    def _fault_for(self, call: Call) -> dict[str, Any] | None:
        """`match` is a pattern here; it also finds commands inside of a batch."""
        text = f"{call.path}?{call.raw_query} {call.body.decode('utf-8', 'replace') if 'batch' in call.path else ''}"
        for fault in self.faults:
            if fault.get("times", 1) > 0 and re.search(fault.get("match", ""), text):
                fault["times"] = fault.get("times", 1) - 1
                return fault
        return None

    def handle(self, call: Call) -> Answer:
        parts = [part for part in call.path.split("/") if part]
        began = time.time()
        if len(parts) != 4 or parts[0] != "rest":
            return Answer("<!DOCTYPE html><title>404 Not Found</title>", 404)
        try:
            if (parts[1], parts[2]) != (self.user, self.secret):
                raise Refused("INVALID_CREDENTIALS", "Invalid request credentials")
            self._admit()
            method = parts[3].removesuffix(".json").lower()
            params = self._params(call)
            body = self._batch(params) if method == "batch" else self._timed(method, params)
            return Answer(body | {"time": self._time(began, method)})
        except Refused as error:
            code, text = error.args
            status = self.state["error_status"] or STATUS.get(code, 400)
            return Answer({"error": code, "error_description": text}, status)

    def _admit(self) -> None:
        if self.state["auth"]:
            raise Refused(self.state["auth"], "The access token provided has expired.")
        if self.state["limits"]:
            level, at = self.state["bucket"]
            now = time.time()
            level = max(0.0, level - (now - at) * LEAK) + 1
            self.state["bucket"] = [level, now]
            if level > BUCKET:
                raise Refused("QUERY_LIMIT_EXCEEDED", "Too many requests")

    @staticmethod
    def _params(call: Call) -> Row:
        given: Row = parse_str(call.raw_query)
        if call.body:
            if "json" in call.headers.get("content-type", ""):
                given |= json.loads(call.body) or {}
            else:
                given |= parse_str(call.body.decode())
        return {name.lower(): value for name, value in given.items()}

    def _time(self, began: float, method: str) -> Row:
        now = self.now().timestamp()
        return {
            "start": now,
            "finish": now + (time.time() - began),
            "duration": round(time.time() - began, 6),
            "processing": 0.001,
            "date_start": self.stamp(),
            "date_finish": self.stamp(),
            "operating_reset_at": int(now) + 600,
            "operating": self.state["operating"].get(method, 0),
        }

    def _batch(self, params: Row) -> Row:
        commands = params.get("cmd") or {}
        if isinstance(commands, list):
            commands = {str(number): command for number, command in enumerate(commands)}
        halt = str(params.get("halt", 0)).lower() in ("1", "true", "y")
        parts: dict[str, Row] = {name: {} for name in ("result", "result_error", "result_total", "result_next")}
        times: Row = {}
        for number, (key, command) in enumerate(commands.items()):
            method, _, query = str(command).partition("?")
            try:
                if number >= 50:
                    raise Refused("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                if method.lower().strip() == "batch":
                    raise Refused("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
                inner = {k.lower(): v for k, v in resolved(parse_str(query), parts["result"]).items()}
                answer = self._timed(method.lower().strip(), inner)
            except Refused as error:
                parts["result_error"][key] = {"error": error.args[0], "error_description": error.args[1]}
                if halt:
                    break
                continue
            parts["result"][key] = answer["result"]
            times[key] = self._time(time.time(), method.lower())
            for name in ("total", "next"):
                if name in answer:
                    parts[f"result_{name}"][key] = answer[name]
        return {"result": {name: php_map(value) for name, value in (parts | {"result_time": times}).items()}}

    def _timed(self, method: str, params: Row) -> Row:
        """One method, with its share of the time that it may take in ten minutes."""
        spent = self.state["operating"].get(method, 0)
        if spent > self.state["operating_limit"]:
            raise Refused("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        self.state["operating"][method] = round(spent + self.state["cost"].get(method, 0.01), 3)
        return self._method(method, params)

    def _method(self, method: str, params: Row) -> Row:
        if method in ("scope", "server.time", "profile"):
            simple = {"scope": self.state["scope"], "server.time": self.stamp()}
            return {"result": simple.get(method, {"ID": self.user, "ADMIN": True, "NAME": "Робот"})}
        if not method.startswith("crm.") or method.startswith(tuple(self.state["without"])):
            raise Refused("ERROR_METHOD_NOT_FOUND", "Method not found!")
        if "crm" not in self.state["scope"]:
            text = "The request requires higher privileges than provided by the webhook token"
            raise Refused("insufficient_scope", text)
        _, what, *rest = method.split(".")
        try:
            if what in data.KINDS and len(rest) == 1:
                return self._record_call(what, rest[0], params)
            if method == "crm.deal.contact.items.get":
                return {"result": self._contacts_of(self._known("deal", params.get("id")))}
            if method in ("crm.status.list", "crm.category.list"):
                return self._words(method, params)
            if found := self.product_rows(method, params):
                return found
            if found := self.activities_call(method, params):
                return found
        except Wrong as error:
            raise Refused(getattr(error, "code", ""), str(error)) from None
        raise Refused("ERROR_METHOD_NOT_FOUND", "Method not found!")

    def _words(self, method: str, params: Row) -> Row:
        if method == "crm.category.list":
            rows = sorted(self.state["categories"], key=lambda row: row["sort"])
            return {"result": {"categories": rows}, "total": len(rows)}
        wanted = (params.get("filter") or {}).get("ENTITY_ID")
        names = wanted if isinstance(wanted, list) else [wanted]
        rows = [row for row in self.state["statuses"] if wanted is None or row["ENTITY_ID"] in names]
        return {"result": rows, "total": len(rows)}

    def _record_call(self, kind: str, verb: str, params: Row) -> Row:
        if kind in self.state["rights"]:
            raise Refused("", "Access denied.")
        if verb == "fields":
            return {"result": {name: self._field(kind, name) for name in data.FIELDS[kind]}}
        if verb == "list":
            rows, total, after = listing(kind, list(self.state[kind].values()), params)
            return {"result": copy.deepcopy(rows), "total": total} | ({"next": after} if after is not None else {})
        if verb == "get":
            row = self._known(kind, params.get("id"))
            return {"result": {name: value for name, value in copy.deepcopy(row).items() if name != "CONTACT_IDS"}}
        fields = params.get("fields")
        if verb in ("add", "update") and not isinstance(fields, dict):
            raise Wrong("Parameter 'fields' must be array.")
        if verb == "add":
            return {"result": int(self._add(kind, fields))}
        if verb == "update":
            self._update(kind, self._known(kind, params.get("id"))["ID"], fields)
            return {"result": True}
        if verb == "delete":
            self._delete(kind, self._known(kind, params.get("id"))["ID"])
            return {"result": True}
        raise Refused("ERROR_METHOD_NOT_FOUND", "Method not found!")

    @staticmethod
    def _field(kind: str, name: str) -> Row:
        only_read = name in data.READ_ONLY
        multiple = name in data.MULTI or name == "CONTACT_IDS"
        return {
            "type": data.FIELDS[kind][name],
            "isRequired": False,
            "isReadOnly": only_read,
            "isImmutable": name == "CATEGORY_ID",
            "isMultiple": multiple,
            "isDynamic": name.startswith("UF_"),
            "title": name,
        }

    def _known(self, kind: str, id: Any) -> Row:
        row: Row | None = self.state[kind].get(str(id))
        if row is None:
            raise Refused("", "Not found")
        return row
