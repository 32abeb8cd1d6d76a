"""Events of the Bitrix24 stand-in: a form with the record's number and nothing else, sent once and never again."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

from tests.peers.bitrix_wire import form

AGENT = "Bitrix24 Webhook Engine"


def enqueue(state: dict[str, Any], kind: str, what: str, id: str, now: int) -> None:
    """One event for each handler of this name; `what` is ADD, UPDATE or DELETE."""
    name = f"ONCRM{kind.upper()}{what}"
    for number, handler in enumerate(state["handlers"]):
        if handler["event"] == name:
            state["queue"].append({"handler": number, "event": name, "id": id, "ts": now})


def body(event: dict[str, Any], handler: dict[str, Any], domain: str) -> bytes:
    """`auth` carries short-lived tokens of an application's user, and the handler's own token."""
    return form(
        {
            "event": event["event"],
            "event_handler_id": str(event["handler"] + 1),
            "data": {"FIELDS": {"ID": event["id"]}},
            "ts": str(event["ts"]),
            "auth": {
                "access_token": "peer-access-0001",
                "expires": str(event["ts"] + 3600),
                "expires_in": "3600",
                "scope": "crm",
                "domain": domain,
                "server_endpoint": "https://oauth.example.test/rest/",
                "status": "L",
                "user_id": "1",
                "client_endpoint": f"https://{domain}/rest/",
                "member_id": "peer0member",
                "refresh_token": "peer-refresh-0001",
                "application_token": handler["token"],
            },
        }
    )


def send(url: str, payload: bytes) -> int:
    """The HTTP status, 0 when nobody answered."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": AGENT}
    request = urllib.request.Request(url, payload, headers, method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except (OSError, ValueError):
        return 0
