"""How the shop stand-in recognises its client: keys behind TLS, OAuth 1.0a (one-legged) anywhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.peers.http import Call

if TYPE_CHECKING:
    from tests.peers.woo import WooPeer

WRONG = "woocommerce_rest_authentication_error"
ANONYMOUS = ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
WINDOW = 15 * 60  # seconds an OAuth stamp may differ from the shop's clock


def refused(peer: WooPeer, call: Call) -> tuple[str, str] | None:
    """(code, message) of the 401, None for a known client."""
    tls = peer.state["tls_seen"] or call.headers.get("x-forwarded-proto") == "https"
    if tls:
        key, secret = call.query.get("consumer_key", ""), call.query.get("consumer_secret", "")
        if not (key and secret):
            key, secret = _basic(call, peer.state["strip_authorization"])
        if key == peer.key:
            return (
                None
                if hmac.compare_digest(secret.encode(), peer.secret.encode())
                else (WRONG, "Consumer secret is invalid.")
            )
    return _oauth(peer, call, "https" if tls else "http")


def _basic(call: Call, stripped: bool) -> tuple[str, str]:
    scheme, _, text = call.headers.get("authorization", "").partition(" ")
    if stripped or scheme.lower() != "basic":
        return "", ""
    key, _, secret = base64.b64decode(text).decode().partition(":")
    return key, secret


def _oauth(peer: WooPeer, call: Call, scheme: str) -> tuple[str, str] | None:
    params = dict(call.query)
    names = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
    if not any(params.get(name) for name in names):
        return ANONYMOUS
    if missing := [name for name in names if not params.get(name)]:
        return WRONG, "Missing OAuth parameters " + ", ".join(missing)
    if params["oauth_consumer_key"] != peer.key:
        return WRONG, "Consumer key is invalid."
    digest = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}.get(params["oauth_signature_method"])
    if digest is None:
        return WRONG, "Invalid signature - signature method is invalid."
    given = params.pop("oauth_signature").replace(" ", "+")
    pairs = "&".join(f"{quote(k, safe='')}={quote(params[k], safe='')}" for k in sorted(params))
    uri = f"{scheme}://{call.headers.get('host', '')}{call.path}"
    text = "&".join((call.method, quote(uri, safe=""), quote(pairs, safe="")))
    own = base64.b64encode(hmac.new((peer.secret + "&").encode(), text.encode(), digest).digest()).decode()
    if not hmac.compare_digest(own.encode(), given.encode()):
        return WRONG, "Invalid signature - provided signature does not match."
    if abs(int(params["oauth_timestamp"]) - peer.now().timestamp()) > WINDOW:
        return WRONG, "Invalid timestamp."
    if params["oauth_nonce"] in peer.state["nonces"]:
        return WRONG, "Invalid nonce - nonce has already been used."
    peer.state["nonces"] = [*peer.state["nonces"][-200:], params["oauth_nonce"]]
    return None
