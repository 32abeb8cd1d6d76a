"""The web edge: intake, exchanges, pages and API as one Starlette application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from anyio import to_thread
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sync.errors import NeedHuman, SverkaError, Text
from sync.hub import Hub
from sync.web import answers
from sync.web.api import Api
from sync.web.deeds import Deeds, status_of
from sync.web.exchange import Exchange
from sync.web.guard import Guard
from sync.web.intake import Intake
from sync.web.pages import Pages
from sync.web.show import STATIC, problem

OWN = ("/in", "/exchange", "/healthz", "/readyz", "/static", "/favicon", "/api", "/act", "/trace", "/client",
       "/quarantine", "/conflicts", "/reviews", "/runs")  # fmt: skip


def build(hub: Hub) -> Starlette:
    """The application over an open hub. Run it in one process with the hub's service, behind uvicorn or alone."""
    exchange, intake, health = Exchange(hub), Intake(hub), _Health(hub)
    shared = exchange.paths(OWN)
    routes: list[BaseRoute] = [
        Route("/in/{connection}", intake),
        Route("/in/{connection}/{tail:path}", intake),
        Route("/exchange/{connection}", exchange),
        Route("/exchange/{connection}/{tail:path}", exchange),
        *(Route(path, exchange) for path in shared),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/favicon.ico", _favicon),
        Mount("/static", StaticFiles(directory=STATIC)),
        *Pages(hub).routes(),
        *Deeds(hub).routes(),
        *Api(hub).routes(),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hub=hub, open_paths=shared)],
        exception_handlers={SverkaError: _refused(hub), HTTPException: _http(hub)},
    )
    app.router.redirect_slashes = False  # senders of webhooks take a redirect for a failure
    return app


_Handler = Callable[[Request, Exception], Awaitable[Response]]


class _Health:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def alive(self, request: Request) -> Response:
        return answers.words("alive")

    async def ready(self, request: Request) -> Response:
        try:
            await to_thread.run_sync(self._ask)
        except SverkaError as error:
            return answers.words(f"not ready: {error.code}", 503, {"Retry-After": "5"})
        except Exception as error:
            answers.unexpected("readyz", error)
            return answers.words("not ready", 503, {"Retry-After": "5"})
        return answers.words("ready")

    def _ask(self) -> None:
        with self._hub.store.read() as tx:
            tx.execute(select(1)).scalar_one()


async def _favicon(request: Request) -> Response:
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")


def _refused(hub: Hub) -> _Handler:
    async def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, SverkaError)
        return problem(hub, request, error, status_of(error))

    return handler


def _http(hub: Hub) -> _Handler:
    async def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        text = Text("There is no such page.", "Такой страницы нет.")
        if error.status_code == 405:
            text = Text("This address does not take that method.", "Этот адрес не принимает такой метод.")
        found = NeedHuman(text, code=f"web.{error.status_code}")
        return problem(hub, request, found, error.status_code)

    return handler
