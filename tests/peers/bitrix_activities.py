"""Activities and timeline comments of the Bitrix24 stand-in: crm.activity.*, crm.activity.binding.*, crm.timeline.comment.*.

Kept quirks: an activity is bound to several records at once; it is moved only between records of one type, and not to one
that it is bound to already; the last binding is never removed; a comment's deletion answers null.
"""

from __future__ import annotations

from typing import Any

from tests.peers.bitrix_data import Row
from tests.peers.bitrix_lists import PAGE, Wrong

TYPES = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
NAMES = {number: name for name, number in TYPES.items()}


class Refusal(Wrong):
    """With a code of the vendor's own."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Activities:
    """The part of the portal that keeps `state["activities"]` (each with its bindings) and `state["comments"]`."""

    state: dict[str, Any]
    lock: Any

    # what people in the portal do --------------------------------------------------------------------------------------

    def call_logged(self, *places: tuple[str, Any], subject: str = "Звонок") -> str:
        """A call on the timelines of these records; gives its id."""
        with self.lock:
            id = str(self._next("activity"))  # type: ignore[attr-defined]
            bound = [[TYPES[kind], int(record)] for kind, record in places]
            self.state["activities"][id] = {"ID": id, "TYPE_ID": "2", "SUBJECT": subject, "bindings": bound}
            return id

    def activities_of(self, kind: str, id: Any) -> list[str]:
        with self.lock:
            wanted = [TYPES[kind], int(id)]
            return [one for one, row in self.state["activities"].items() if wanted in row["bindings"]]

    def comments_of(self, kind: str, id: Any) -> list[str]:
        with self.lock:
            rows = self.state["comments"].values()
            return [row["COMMENT"] for row in rows if (row["ENTITY_TYPE"], row["ENTITY_ID"]) == (kind, str(id))]

    # the protocol --------------------------------------------------------------------------------------------------

    def activities_call(self, method: str, params: Row) -> Row | None:
        """The answer of a method of activities or comments, None where it is another one."""
        if method == "crm.activity.list":
            return self._page([self._shown(row) for row in self._bound_to(params.get("filter") or {})], params)
        if method.startswith("crm.activity.binding."):
            return {"result": self._binding(method.rsplit(".", 1)[1], params)}
        if method.startswith("crm.timeline.comment."):
            return self._comment(method.rsplit(".", 1)[1], params)
        return None

    def _bound_to(self, wanted: Row) -> list[Row]:
        found = list(self.state["activities"].values())
        places = wanted.get("BINDINGS")
        for place in list(places.values()) if isinstance(places, dict) else places or []:
            here = [int(place["OWNER_TYPE_ID"]), int(place["OWNER_ID"])]
            found = [row for row in found if here in row["bindings"]]
        return found

    @staticmethod
    def _shown(row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "bindings"}

    @staticmethod
    def _page(rows: list[Row], params: Row) -> Row:
        start = max(0, int(params.get("start") or 0)) // PAGE * PAGE
        more = {"next": start + PAGE} if start + PAGE < len(rows) else {}
        return {"result": rows[start : start + PAGE], "total": len(rows), **more}

    def _binding(self, what: str, params: Row) -> Any:
        row = self.state["activities"].get(str(params.get("activityid")))
        if row is None:
            raise Refusal("NOT_FOUND", "Элемент не найден")
        if what == "list":
            return [{"entityTypeId": kind, "entityId": id} for kind, id in row["bindings"]]
        if what != "move":
            raise Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!")
        old, new = ([int(params[f"{end}entitytypeid"]), int(params[f"{end}entityid"])] for end in ("source", "target"))
        if old[0] != new[0]:
            raise Refusal("SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR", "Разные типы")
        if str(new[1]) not in self.state[NAMES[new[0]]]:
            raise Refusal("OWNER_NOT_FOUND", "Владелец элемента не найден")
        if old not in row["bindings"]:
            raise Refusal("BINDING_NOT_FOUND", "Дело не привязано")
        if new in row["bindings"]:
            raise Refusal("ACTIVITY_IS_ALREADY_BOUND", "Дело уже привязано")
        row["bindings"] = [new if one == old else one for one in row["bindings"]]
        return True

    def _comment(self, what: str, params: Row) -> Row:
        comments = self.state["comments"]
        if what == "list":
            wanted = params.get("filter") or {}
            place = (str(wanted.get("ENTITY_TYPE")), str(wanted.get("ENTITY_ID")))
            return self._page([r for r in comments.values() if (r["ENTITY_TYPE"], r["ENTITY_ID"]) == place], params)
        if what == "add":
            given, id = params.get("fields") or {}, str(self._next("comment"))  # type: ignore[attr-defined]
            if str(given.get("ENTITY_ID")) not in self.state[given["ENTITY_TYPE"]]:
                raise Refusal("OWNER_NOT_FOUND", "Владелец элемента не найден")
            fields = {name: str(given[name]) for name in ("ENTITY_ID", "ENTITY_TYPE", "COMMENT")}
            comments[id] = {"ID": id, "AUTHOR_ID": "1", **fields}
            return {"result": int(id)}
        if what == "delete":
            if comments.pop(str(params.get("id")), None) is None:
                raise Refusal("NOT_FOUND", "Not found.")
            return {"result": None}
        raise Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!")
