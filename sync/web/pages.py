"""The pages: overview, trace, client, and what waits for people. Reading only; what people do is in deeds.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sync.errors import NeedHuman, SverkaError, Text
from sync.hub import Hub, acts, duplicates, reviewing, views
from sync.hub.trace import Hop, Trace, trace
from sync.intake.pictures import TYPES, picture
from sync.store.types import dumps
from sync.web.show import page

QUERY = 200  # characters of a search
DECIDED = 20  # answers shown, each with the button that takes it back
COUNTS = ("new", "changed", "same", "skipped", "failed")


class Pages:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        pages = {
            "/": self._home,
            "/trace": self._trace,
            "/client/{uid}": self._client,
            "/quarantine": self._quarantine,
            "/conflicts": self._conflicts,
            "/reviews": self._reviews,
            "/runs": self._runs,
        }
        shown = [Route(path, self._shown(view), methods=["GET"]) for path, view in pages.items()]
        return [*shown, Route("/picture/{file}", self._picture, methods=["GET"])]

    def _picture(self, request: Request) -> Response:
        """A picture of goods, as what its ending says it is and as nothing else (every answer forbids guessing)."""
        path = picture(self._hub.config.hub.pictures, request.path_params["file"])
        if path is None:
            raise NeedHuman(Text("There is no such picture.", "Такой картинки нет."), code="picture.gone")
        return FileResponse(path, media_type=TYPES[path.suffix])

    def _shown(self, view: Callable[[Request], tuple[str, dict[str, Any]]]) -> Callable[[Request], Any]:
        def made(request: Request) -> Response:
            template, values = view(request)
            queues = self._queues()
            return page(self._hub, request, template, queues=queues, stages=self._stages(), **values)

        async def endpoint(request: Request) -> Response:
            return await to_thread.run_sync(made, request)

        return endpoint

    def _queues(self) -> dict[str, int]:
        totals = views.totals(self._hub)
        return {**totals, "quarantine": totals["quarantined"]}

    def _stages(self) -> dict[str, str]:
        """Titles of stages over all pipelines; the first pipeline's word wins."""
        return {s.name: s.title for p in reversed(self._hub.config.pipelines) for s in p.stages}

    def _home(self, request: Request) -> tuple[str, dict[str, Any]]:
        return "home.html", {
            "connections": views.connections(self._hub),
            "runs": [_run(r) for r in views.last_runs(self._hub, limit=12)],
            "tasks": views.tasks(self._hub),
            "notices": views.notices(self._hub, 8),
        }

    def _runs(self, request: Request) -> tuple[str, dict[str, Any]]:
        wanted = request.query_params.get("connection") or None
        found = [_run(r) for r in views.last_runs(self._hub, wanted, 100)]
        return "runs.html", {"runs": found, "names": list(self._hub.config.connections), "wanted": wanted or ""}

    def _trace(self, request: Request) -> tuple[str, dict[str, Any]]:
        query = request.query_params.get("q", "").replace("\x00", "").strip()[:QUERY]
        found = trace(self._hub, query)
        held = views.quarantined(self._hub)
        open_conflicts = views.conflicts(self._hub)
        stuck = [] if found or not query else [row for row in held if query in row["external_id"].split()]
        return "trace.html", {
            "q": query,
            "stuck": stuck,
            "found": [self._traced(one, held, open_conflicts) for one in found],
        }

    def _traced(self, one: Trace, held: list[dict[str, Any]], conflicts: list[dict[str, Any]]) -> dict[str, Any]:
        """A record with, for every hop where it stopped, the row that its button mends."""
        mine = [r for r in held if r["record_uid"] == one.uid]
        disputed = [_sides(r) for r in conflicts if r["record_uid"] == one.uid]
        hops = [{"hop": hop, "held": _held(hop, mine), "conflict": _conflict(hop, disputed)} for hop in one.hops]
        return {"record": one, "hops": hops, "stage_form": self._stage_form(one) if one.kind == "deal" else None}

    def _stage_form(self, one: Trace) -> dict[str, Any] | None:
        """The stages to choose from, or the name of the connection where the stage is kept."""
        try:
            deal = acts.find_deal(self._hub, one.uid)
        except SverkaError:
            return None
        owner = acts.owner_of_stage(self._hub, one.uid)
        if owner:
            return {"owner": owner, "stages": ()}
        return {"owner": "", "stages": self._hub.config.pipeline(deal.data.get("pipeline")).stages}

    def _client(self, request: Request) -> tuple[str, dict[str, Any]]:
        found = views.client(self._hub, request.path_params["uid"])
        if found is None:
            raise NeedHuman(Text("There is no such client.", "Такого клиента нет."), code="client.gone")
        return "client.html", {"client": found, "events": list(reversed(found["timeline"]))}

    def _quarantine(self, request: Request) -> tuple[str, dict[str, Any]]:
        """By cause, the largest first: one cause is mended once."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in views.quarantined(self._hub):
            groups.setdefault(row["code"], []).append(row)
        return "quarantine.html", {"groups": sorted(groups.items(), key=lambda g: -len(g[1]))}

    def _conflicts(self, request: Request) -> tuple[str, dict[str, Any]]:
        return "conflicts.html", {"conflicts": [_sides(row) for row in views.conflicts(self._hub)]}

    def _reviews(self, request: Request) -> tuple[str, dict[str, Any]]:
        decided = reviewing.questions(self._hub, decided=True, limit=DECIDED)
        found = {"reviews": views.reviews(self._hub), "decided": decided, "duplicates": duplicates.waiting(self._hub)}
        return "reviews.html", found


def _run(row: dict[str, Any]) -> dict[str, Any]:
    """A run with whether its counts add up."""
    return {**row, "adds_up": row["read"] == sum(row[name] for name in COUNTS)}


def _sides(row: dict[str, Any]) -> dict[str, Any]:
    """A conflict with what was seen, as the form carries it back."""
    return {**row, "seen": dumps(row["sides"])}


def _held(hop: Hop, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    if hop.step != "quarantined":
        return None
    return next((r for r in rows if r["id"] == hop.ref), None)


def _conflict(hop: Hop, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    if hop.step != "conflict":
        return None
    return next((r for r in rows if r["id"] == hop.ref), None)
