"""The records of the Bitrix24 stand-in: what happens to them, whoever does it, with the portal's own quirks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.peers import bitrix_data as data
from tests.peers import bitrix_hooks
from tests.peers.bitrix_data import Row
from tests.peers.bitrix_rows import ProductRows


class Records(ProductRows):
    """The part of the portal that keeps leads, deals, contacts and companies in `state`."""

    user: str
    lock: Any

    # the clock -----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        if self.state["now"]:
            return datetime.fromisoformat(self.state["now"]).replace(tzinfo=UTC)
        return datetime.now(UTC) + timedelta(seconds=self.state["offset"])

    def stamp(self) -> str:
        zone = timezone(timedelta(hours=self.state["tz"]))
        return self.now().astimezone(zone).replace(microsecond=0).isoformat()

    def advance(self, seconds: int) -> None:
        with self.lock:
            if self.state["now"]:
                self.state["now"] = (datetime.fromisoformat(self.state["now"]) + timedelta(seconds=seconds)).isoformat()
            else:
                self.state["offset"] += seconds

    # records -------------------------------------------------------------------------------------------------------

    def _next(self, what: str) -> int:
        self.state["next_id"][what] += 1
        return int(self.state["next_id"][what])

    def _add(self, kind: str, fields: Row) -> str:
        id, now = str(self._next(kind)), self.stamp()
        row: Row = {n: None for n in data.FIELDS[kind] if n not in data.MULTI and n != "CONTACT_IDS"}
        row |= {"ID": id, "DATE_CREATE": now, "ASSIGNED_BY_ID": self.user, "CREATED_BY_ID": self.user, "OPENED": "Y"}
        if "OPPORTUNITY" in row:
            row |= {"OPPORTUNITY": "0.00", "IS_MANUAL_OPPORTUNITY": "N", "CURRENCY_ID": "RUB"}
        if kind == "deal":
            category = str(fields.get("CATEGORY_ID") or 0)
            first = self._stages(category)[0]
            row |= {"CATEGORY_ID": category, "STAGE_ID": first, "CLOSED": "N", "TAX_VALUE": "0.00", "CONTACT_IDS": []}
        if kind == "lead":
            row["STATUS_ID"] = "NEW"
        self.state[kind][id] = row
        self._set(kind, row, fields)
        self._changed(kind, row, "ADD")
        robot = self.state["robot"].get(kind)
        if robot:  # the firm's own automation: at once, and under the same user
            self._update(kind, id, robot)
        return id

    def _update(self, kind: str, id: str, fields: Row, everything: bool = False) -> None:
        row = self.state[kind][id]
        if everything and kind == "deal" and "CATEGORY_ID" in fields:
            row["CATEGORY_ID"] = str(
                fields["CATEGORY_ID"]
            )  # people and crm.item.update move a card to another pipeline
            row["STAGE_ID"] = self._stages(row["CATEGORY_ID"])[0]
        self._set(kind, row, fields)
        self._changed(kind, row, "UPDATE")

    def _delete(self, kind: str, id: str) -> None:
        del self.state[kind][id]
        self.state["rows"].pop(f"{kind}:{id}", None)
        bitrix_hooks.enqueue(self.state, kind, "DELETE", id, int(self.now().timestamp()))

    def _changed(self, kind: str, row: Row, what: str) -> None:
        row["DATE_MODIFY"] = row["LAST_ACTIVITY_TIME"] = self.stamp()
        row["MODIFY_BY_ID"] = self.user
        self.compute(kind, row)
        for field, names in (("STAGE_SEMANTIC_ID", "STAGE_ID"), ("STATUS_SEMANTIC_ID", "STATUS_ID")):
            if field in row:
                row[field] = self._semantics(row[names]) or "P"
        if kind == "deal":
            row["CLOSED"] = "N" if row["STAGE_SEMANTIC_ID"] == "P" else "Y"
        bitrix_hooks.enqueue(self.state, kind, what, row["ID"], int(self.now().timestamp()))
        if self.state["now"]:
            self.advance(self.state["tick"])

    def _set(self, kind: str, row: Row, fields: Row) -> None:
        words = {"STAGE_ID": self._stages(row.get("CATEGORY_ID")), "STATUS_ID": self._words_of("STATUS")}
        for name, value in fields.items():
            name = name.upper()
            if name in data.MULTI and name in data.FIELDS[kind]:
                self._set_multi(row, name, value)
            elif name == "CONTACT_IDS" and kind == "deal":
                row[name] = [str(one) for one in value or []]
                row["CONTACT_ID"] = next(iter(row[name]), None)
            elif name in words and value not in words[name]:
                continue  # an unknown stage or status is ignored in silence
            elif name in data.FIELDS[kind] and name not in data.READ_ONLY and name != "CATEGORY_ID":
                row[name] = data.shaped(kind, name, value)
        if "CONTACT_ID" in fields and kind == "deal":
            row["CONTACT_IDS"] = [row["CONTACT_ID"]] if row["CONTACT_ID"] else []
        for name in ("PHONE", "EMAIL"):
            if f"HAS_{name}" in data.FIELDS[kind]:
                row[f"HAS_{name}"] = "Y" if row.get(name) else "N"

    def _set_multi(self, row: Row, name: str, given: Any) -> None:
        """With an id a value is changed, or removed by DELETE or an empty VALUE; without one it is added."""
        kept: list[Row] = list(row.get(name) or [])
        for item in list(given.values()) if isinstance(given, dict) else given or []:
            id, value = str(item.get("ID") or ""), str(item.get("VALUE") or "")
            old = next((one for one in kept if id and one["ID"] == id), None)
            if old is not None and (item.get("DELETE") == "Y" or not value):
                kept.remove(old)
            elif old is not None:
                old.update(VALUE=value, VALUE_TYPE=item.get("VALUE_TYPE") or old["VALUE_TYPE"])
            elif value and not id:
                type_ = item.get("VALUE_TYPE") or "WORK"
                kept.append({"ID": str(self._next("multi")), "VALUE_TYPE": type_, "VALUE": value, "TYPE_ID": name})
        row[name] = kept
        if not kept:
            del row[name]

    def _stages(self, category: Any) -> list[str]:
        return self._words_of(data.entity_of(category))

    def _words_of(self, entity: str) -> list[str]:
        rows = [row for row in self.state["statuses"] if row["ENTITY_ID"] == entity]
        return [row["STATUS_ID"] for row in sorted(rows, key=lambda row: int(row["SORT"]))]

    def _semantics(self, code: Any) -> str:
        found = (
            r["SEMANTICS"] for r in self.state["statuses"] if r["STATUS_ID"] == code and r["ENTITY_ID"] != "SOURCE"
        )
        return next(found, None) or ""

    def _contacts_of(self, row: Row) -> list[Row]:
        ids = enumerate(row.get("CONTACT_IDS") or [])
        return [
            {"CONTACT_ID": int(id), "SORT": n * 10 + 10, "ROLE_ID": 0, "IS_PRIMARY": "N" if n else "Y"} for n, id in ids
        ]
