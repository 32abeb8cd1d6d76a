"""The common ground of every HTTP stand-in: a threaded server with faults to order, a log of calls and a state to copy.

A stand-in subclasses `HttpPeer`, answers in `handle` and keeps everything it remembers in `self.state` (plain JSON), so
that a test can take a snapshot, kill the hub anywhere, and put the snapshot back. Control addresses, outside the vendor's
protocol:

GET  /_peer/state   the state as JSON            PUT /_peer/state   replace it
GET  /_peer/log     the calls so far             DELETE /_peer/log  forget them
POST /_peer/faults  [{"match": "/orders", "method": "", "times": 1, "kind": KIND, …}]   DELETE: none any more

KIND: "status" (status, body, headers: the call is not executed), "drop" (executed, then the connection is cut: a lost
answer), "refuse" (cut before execution), "delay" (seconds, then executed).
"""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes
    raw_query: str = ""

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Answer:
    body: bytes | str | dict | list = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        if isinstance(self.body, dict | list):
            return json.dumps(self.body, ensure_ascii=False).encode(), "application/json; charset=UTF-8"
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return body, "text/html; charset=UTF-8"


class HttpPeer:
    """Start it with `with Peer() as peer:` and talk to `peer.url`."""

    def __init__(self, port: int = 0) -> None:
        self.state: dict[str, Any] = self.fresh()
        self.log: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self.lock = threading.RLock()
        self.server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def fresh(self) -> dict[str, Any]:
        """The state of a new system."""
        return {}

    def handle(self, call: Call) -> Answer:
        raise NotImplementedError

    def start(self) -> HttpPeer:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):  # type: ignore[no-untyped-def]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        with self.lock:
            self.faults.append({"kind": kind, "match": match, "times": times, **more})

    def calls(self, method: str = "", match: str = "") -> list[dict[str, Any]]:
        with self.lock:
            return [c for c in self.log if (not method or c["method"] == method) and match in c["path"]]

    def _fault_for(self, call: Call) -> dict[str, Any] | None:
        for fault in self.faults:
            wanted = fault.get("match", "") in call.path + "?" + call.raw_query
            if wanted and fault.get("method", "") in ("", call.method) and fault.get("times", 1) > 0:
                fault["times"] = fault.get("times", 1) - 1
                return fault
        return None

    def respond(self, call: Call) -> Answer | None:
        """None cuts the connection."""
        if call.path.startswith("/_peer/"):
            with self.lock:
                return self._control(call)
        with self.lock:
            self.log.append({"method": call.method, "path": call.path, "query": call.query, "at": time.time()})
            fault = self._fault_for(call)
        kind = fault["kind"] if fault else ""
        if fault and kind == "status":
            return Answer(fault.get("body", ""), fault.get("status", 500), fault.get("headers", {}))
        if kind == "refuse":
            return None
        if fault and kind == "delay":
            time.sleep(fault.get("seconds", 1))
        with self.lock:
            answer = self.handle(call)
        return None if kind == "drop" else answer

    def _control(self, call: Call) -> Answer:
        what = call.path.removeprefix("/_peer/")
        if what == "state" and call.method == "GET":
            return Answer(copy.deepcopy(self.state))
        if what == "state" and call.method == "PUT":
            self.state = call.json()
        elif what == "log" and call.method == "GET":
            return Answer(list(self.log))
        elif what == "log" and call.method == "DELETE":
            self.log.clear()
        elif what == "faults" and call.method == "POST":
            self.faults.extend(call.json())
        elif what == "faults" and call.method == "DELETE":
            self.faults.clear()
        else:
            return Answer("no such control", 404)
        return Answer({"ok": True})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in mid-answer is ordinary here."""


def _handler(peer: HttpPeer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            call = Call(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {k.lower(): v for k, v in self.headers.items()},
                self.rfile.read(size),
                parts.query,
            )
            answer = peer.respond(call)
            if answer is None:
                self.close_connection = True
                self.request.shutdown(socket.SHUT_RDWR)
                return
            body, content_type = answer.encoded()
            self.send_response(answer.status)
            headers = {"Content-Type": content_type, **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Silent: the log is kept by the peer."""

    return Handler
