"""The same as the pages, as JSON: Decimal as text, times as ISO 8601 with Z. Errors are {"error": {code, text, …}}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync.errors import NeedHuman, RecordRefused, Text
from sync.hub import Hub, acts, merges, reviewing, views
from sync.hub.trace import trace
from sync.web.deeds import answer_review, read_small, row_id, who
from sync.web.show import as_json

MOST = 500  # rows in one answer


class Api:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        gets = {
            "/api/status": self._status,
            "/api/trace": lambda r: {
                "records": trace(self._hub, r.query_params.get("q", "")[:200].replace("\x00", ""))
            },
            "/api/client/{uid}": self._client,
            "/api/runs": lambda r: {"runs": views.last_runs(self._hub, r.query_params.get("connection"), _limit(r))},
            "/api/quarantine": lambda r: {"quarantine": views.quarantined(self._hub)},
            "/api/conflicts": lambda r: {"conflicts": views.conflicts(self._hub)},
            "/api/reviews": lambda r: {
                "reviews": reviewing.questions(self._hub, decided=r.query_params.get("state") == "decided")
            },
            "/api/arrivals": self._arrivals,
        }
        posts = {
            "/api/deal/{number:path}/stage": self._stage,
            "/api/quarantine/{id}/retry": self._retry,
            "/api/conflicts/{id}": self._conflict,
            "/api/reviews/{id}": self._review,
            "/api/client/{uid}/merge": self._merge,
            "/api/client/{uid}/unmerge": self._unmerge,
        }
        return [
            *(Route(path, _answered(view), methods=["GET"]) for path, view in gets.items()),
            *(Route(path, _posted(deed), methods=["POST"]) for path, deed in posts.items()),
        ]

    def _status(self, request: Request) -> Any:
        tasks = views.tasks(self._hub)
        return {
            "now": self._hub.now(),
            "connections": views.connections(self._hub),
            "totals": views.totals(self._hub) | {"tasks": len(tasks), "overdue": sum(t["overdue"] for t in tasks)},
        }

    def _client(self, request: Request) -> Any:
        found = views.client(self._hub, request.path_params["uid"])
        if found is None:
            raise NeedHuman(Text("There is no such client.", "Такого клиента нет."), code="client.gone")
        return found

    def _arrivals(self, request: Request) -> Any:
        return {"arrivals": views.arrivals(self._hub, request.query_params.get("connection"), _limit(request))}

    def _stage(self, request: Request, said: Mapping[str, Any]) -> Any:
        given = _fields(said, stage=str, reason=(str, type(None)))
        return acts.set_stage(
            self._hub, request.path_params["number"], given.get("stage", ""), who(request), given.get("reason")
        )

    def _retry(self, request: Request, said: Mapping[str, Any]) -> Any:
        _fields(said)
        return acts.retry(self._hub, row_id(request, "quarantine"))

    def _conflict(self, request: Request, said: Mapping[str, Any]) -> Any:
        given = _fields(said, side=str, seen=(dict, type(None)), reason=(str, type(None)))
        id, side = row_id(request, "conflict"), given.get("side", "")
        return acts.decide_conflict(self._hub, id, side, who(request), given.get("seen"), given.get("reason"))

    def _review(self, request: Request, said: Mapping[str, Any]) -> Any:
        """{"choice": "link", "client": uid}; "new"; "never", of one client or of all; "back"."""
        given = _fields(said, choice=str, client=(str, type(None)))
        id, choice = row_id(request, "review"), given.get("choice", "")
        return answer_review(self._hub, id, choice, who(request), given.get("client"))

    def _merge(self, request: Request, said: Mapping[str, Any]) -> Any:
        """{"card": whom this client is merged from, "why", "mixed": a company and a person are meant}."""
        given = _fields(said, card=str, why=str, mixed=bool)
        uid, card, why = request.path_params["uid"], given.get("card", ""), given.get("why", "")
        return merges.merge(self._hub, uid, card, who(request), why, mixed=given.get("mixed", False))

    def _unmerge(self, request: Request, said: Mapping[str, Any]) -> Any:
        _fields(said)
        return merges.unmerge(self._hub, request.path_params["uid"], who(request))


def _answered(view: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return as_json(await to_thread.run_sync(view, request))

    return endpoint


def _posted(deed: Callable[[Request, Mapping[str, Any]], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        said = _object(await read_small(request))
        return as_json(await to_thread.run_sync(partial(deed, request, said)))

    return endpoint


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise RecordRefused(
            Text("The body is not a JSON object in UTF-8.", "Тело запроса — не объект JSON в UTF-8."), code="web.json"
        )
    return said


def _fields(said: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    """The keys of a body, each of its type; a key that nobody reads is an error."""
    for name, value in said.items():
        if name not in known or not isinstance(value, known[name]):
            shown, names = str(name)[:40], ", ".join(known) or "—"
            raise RecordRefused(
                Text(
                    f"The key {shown!r} is not known or of another type; valid: {names}.",
                    f"Ключ {shown!r} неизвестен или другого типа; допустимы: {names}.",
                ),
                code="web.field",
                field=shown,
            )
    return dict(said)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "50")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= number <= MOST:
        raise RecordRefused(
            Text(f"limit is a number from 1 to {MOST}.", f"limit — число от 1 до {MOST}."),
            code="web.limit",
            field="limit",
        )
    return number
