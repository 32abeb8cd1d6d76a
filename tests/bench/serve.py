"""The two servers of the intake benchmark: Sverka's own web application, and the same uvicorn and Starlette without storage.

    python -m tests.bench.serve sverka FOLDER       prints its port; inbox in FOLDER/data.db
    python -m tests.bench.serve bare

Both serve `POST /in/bench` with the settings of `sverka serve`, and end when their input is closed. Arrivals are only stored
here: what takes them out of the inbox is another piece of work.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sync import config
from sync.hub import Hub
from tests.bench.load import SECRET


async def _answer(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("ok")


def bare() -> ASGIApp:
    return Starlette(routes=[Route("/in/{connection}", _answer, methods=["POST"])])


def configured(folder: Path) -> config.Config:
    return config.build(
        {
            "hub": {"database": f"sqlite:///{folder / 'data.db'}", "spool": str(folder / "spool")},
            "connections": {"bench": {"adapter": "form", "secret": SECRET, "id_field": "id"}},
        },
        folder / "config.toml",
    )


def serve(app: ASGIApp) -> None:
    """Until the input is closed."""
    # The protocol must be named: asyncio switches Nagle's algorithm off only on sockets that say "TCP"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5))

        def until_closed() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=until_closed, daemon=True).start()
        print(listener.getsockname()[1], flush=True)  # connections wait in the backlog until the server runs
        server.run(sockets=[listener])


def main() -> None:
    if sys.argv[1] == "bare":
        serve(bare())
        return
    from sync.web.app import build

    with Hub(configured(Path(sys.argv[2]))) as hub:
        for error in hub.broken.values():
            raise error
        serve(build(hub))


if __name__ == "__main__":
    main()
