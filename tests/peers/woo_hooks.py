"""Webhooks of the shop stand-in: an unsigned ping on creation, coalesced signed deliveries, no retry, off after failures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from typing import Any

from tests.peers.http import Answer, Call, HttpPeer

AGENT = "WooCommerce/11.0.1 Hookshot (WordPress/7.1.4)"
FAILURES = 5  # more than so many in a row switch a hook off, which is on the 7th
Delivery = tuple[str, str, dict[str, str], bytes]


def create(state: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A hook is active at once, whatever its ping was answered."""
    id = max((int(i) for i in state["webhooks"]), default=0) + 1
    topic = body["topic"]
    hook = {
        "id": id,
        "name": body.get("name", topic),
        "status": "active",
        "topic": topic,
        "resource": topic.partition(".")[0],
        "event": topic.partition(".")[2],
        "delivery_url": body["delivery_url"],
        "secret": body.get("secret", ""),
        "failure_count": 0,
    }
    state["webhooks"][str(id)] = hook
    form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": AGENT}
    hook["ping"] = send(hook["delivery_url"], form, f"webhook_id={id}".encode())
    return hook


def public(hook: dict[str, Any]) -> dict[str, Any]:
    """The REST view: it never shows the secret nor the counters."""
    return {k: v for k, v in hook.items() if k not in ("secret", "failure_count", "ping")}


def enqueue(state: dict[str, Any], topic: str, id: int) -> None:
    """One pending job per hook and record, however often the record changes."""
    for hook in state["webhooks"].values():
        job = [str(hook["id"]), id]
        if hook["topic"] == topic and hook["status"] == "active" and job not in state["pending"]:
            state["pending"].append(job)


def due(state: dict[str, Any], source: str) -> list[Delivery]:
    """Take the queue: (hook, address, headers, body) with the newest state of each record."""
    out = []
    for hook_id, id in state["pending"]:
        hook = state["webhooks"].get(hook_id)
        if hook is None:
            continue
        record = state[hook["resource"] + "s"].get(str(id))
        if hook["event"] == "deleted" or record is None:
            record = {"id": id}
        state["deliveries"] += 1
        body = json.dumps(record).encode()
        out.append((hook_id, hook["delivery_url"], headers(hook, body, state["deliveries"], source), body))
    state["pending"] = []
    return out


def headers(hook: dict[str, Any], body: bytes, number: int, source: str) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(hook["secret"].encode(), body, hashlib.sha256).digest()).decode()
    return {
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": source + "/",
        "X-WC-Webhook-Topic": hook["topic"],
        "X-WC-Webhook-Resource": hook["resource"],
        "X-WC-Webhook-Event": hook["event"],
        "X-WC-Webhook-Signature": signature,
        "X-WC-Webhook-ID": str(hook["id"]),
        "X-WC-Webhook-Delivery-ID": hashlib.md5(f"{hook['id']}-{number}".encode()).hexdigest(),
    }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect counts as a failure."""


def send(url: str, headers: dict[str, str], body: bytes) -> int:
    """The HTTP status, 0 when nobody answered."""
    request = urllib.request.Request(url, body, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except (OSError, ValueError):
        return 0


def note(state: dict[str, Any], hook_id: str, code: int) -> None:
    hook = state["webhooks"].get(hook_id)
    if hook is None:
        return
    if 200 <= code < 300:
        hook["failure_count"] = 0
    elif hook["failure_count"] > FAILURES:
        hook["status"] = "disabled"
    else:
        hook["failure_count"] += 1


class HookSink(HttpPeer):
    """A receiver for tests: keeps what it was sent and answers 200."""

    def fresh(self) -> dict[str, Any]:
        return {"got": [], "status": 200}

    def handle(self, call: Call) -> Answer:
        self.state["got"].append({"headers": call.headers, "body": call.body.decode()})
        return Answer("ok", self.state["status"])
