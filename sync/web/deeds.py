"""What people do on the pages: forms that are posted and come back to the page with a word of what was done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import orjson
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync.errors import BadConfig, NeedHuman, RecordRefused, RetryLater, SverkaError, Text
from sync.hub import Hub, acts, approvals, merges, reviewing, views
from sync.web.body import Body

FORM_BYTES = 64 << 10
LARGEST_ID = 2**63 - 1
_STATUS = {
    "deal.none": 404,
    "deal.stage": 422,
    "deal.reason": 422,
    "conflict.side": 422,
    "conflict.reason": 422,
    "review.choice": 422,
    "client.none": 404,
    "identity.itself": 422,
    "identity.kinds": 422,
    "web.body": 413,
    "web.json": 400,
}


def status_of(error: SverkaError) -> int:
    """The HTTP status of an error: by its code, else by whose turn it is."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    if error.code.endswith(".gone"):
        return 404
    if isinstance(error, RetryLater):
        return 503
    if isinstance(error, NeedHuman):
        return 409
    return 422 if isinstance(error, RecordRefused | BadConfig) else 503


class Deeds:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        return [
            Route("/act/deal/{uid}/stage", self._posted(self._stage), methods=["POST"]),
            Route("/act/quarantine/{id}/retry", self._posted(self._retry), methods=["POST"]),
            Route("/act/quarantine/retry", self._posted(self._retry_cause), methods=["POST"]),
            Route("/act/conflicts/{id}", self._posted(self._conflict), methods=["POST"]),
            Route("/act/plans/{id}/approve", self._posted(self._approve), methods=["POST"]),
            Route("/act/reviews/{id}", self._posted(self._review), methods=["POST"]),
            Route("/act/client/{uid}/merge", self._posted(self._merge), methods=["POST"]),
            Route("/act/client/{uid}/unmerge", self._posted(self._unmerge), methods=["POST"]),
        ]

    def _posted(self, deed: Callable[[Request, dict[str, str]], str]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            form = await _form(request)
            done = await to_thread.run_sync(partial(deed, request, form))
            back = local(form.get("back", ""))
            return RedirectResponse(f"{back}{'&' if '?' in back else '?'}done={done}", 303)

        return endpoint

    def _stage(self, request: Request, form: dict[str, str]) -> str:
        reason = form.get("reason", "").strip()[:500] or None
        acts.set_stage(self._hub, request.path_params["uid"], form.get("stage", ""), who(request), reason)
        return "stage"

    def _retry(self, request: Request, form: dict[str, str]) -> str:
        acts.retry(self._hub, row_id(request, "quarantine"))
        return "retry&n=1"

    def _retry_cause(self, request: Request, form: dict[str, str]) -> str:
        """All of one cause; what has closed itself meanwhile is left out."""
        number = 0
        for row in views.quarantined(self._hub):
            if row["code"] == form.get("code") and row["state"] == "open":
                try:
                    acts.retry(self._hub, row["id"])
                    number += 1
                except NeedHuman:
                    continue
        return f"retry&n={number}"

    def _conflict(self, request: Request, form: dict[str, str]) -> str:
        try:
            seen = orjson.loads(form.get("seen", ""))
        except orjson.JSONDecodeError:
            seen = {}
        done = acts.decide_conflict(
            self._hub,
            row_id(request, "conflict"),
            form.get("side", ""),
            who(request),
            seen if isinstance(seen, dict) else {},
            form.get("reason"),
        )
        stays = ", ".join(done.get("stays_deleted", ()))
        return f"stays&n={quote(stays)}" if stays else "conflict"

    def _approve(self, request: Request, form: dict[str, str]) -> str:
        done = approvals.approve(self._hub, request.path_params["id"][:36], who(request))
        return f"plan&n={done['writes']}"

    def _review(self, request: Request, form: dict[str, str]) -> str:
        answer_review(self._hub, row_id(request, "review"), form.get("choice", ""), who(request), form.get("client"))
        return "review"

    def _merge(self, request: Request, form: dict[str, str]) -> str:
        why, mixed = form.get("why", "").strip()[:500], form.get("mixed") == "yes"
        merges.merge(self._hub, request.path_params["uid"], form.get("card", "")[:200], who(request), why, mixed=mixed)
        return "merge"

    def _unmerge(self, request: Request, form: dict[str, str]) -> str:
        merges.unmerge(self._hub, form.get("card", "")[:36], who(request))
        return "unmerge"


def answer_review(hub: Hub, id: int, choice: str, name: str, client: str | None) -> dict[str, Any]:
    """What a page or a call says to a question: link, new, never, or back (the answer is taken back)."""
    if choice == "back":
        return reviewing.take_back(hub, id, name)
    return reviewing.decide(hub, id, choice, name, client or None)


def who(request: Request) -> str:
    """For the journal: the user name of the login, else where the wish came from."""
    name = str(request.scope.get("state", {}).get("who", ""))
    return name or ("api" if request.url.path.startswith("/api/") else "web")


def row_id(request: Request, what: str) -> int:
    """The number in the address; one that cannot exist is answered like one that has gone."""
    text = request.path_params["id"]
    if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST_ID:
        return int(text)
    raise NeedHuman(
        Text(f"There is no open {what} {text[:40]!r}.", f"Открытой записи {what} {text[:40]!r} нет."),
        code=f"{what}.gone",
    )


def local(back: str) -> str:
    """A page of ours to go back to; anything else is the first page."""
    try:
        parts = urlsplit(back)
    except ValueError:
        return "/"
    good = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() and "\\" not in back
    return back if good and not parts.netloc and not parts.scheme else "/"


async def _form(request: Request) -> dict[str, str]:
    raw = await read_small(request)
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        pairs = []
    return {name: value.replace("\x00", "") for name, value in pairs}


async def read_small(request: Request) -> bytes:
    raw, cut = await Body(request.receive).read(FORM_BYTES)
    if cut or len(raw) > FORM_BYTES:
        raise RecordRefused(
            Text("The request's body is cut off or too large.", "Тело запроса оборвано или слишком велико."),
            code="web.body",
        )
    return raw
