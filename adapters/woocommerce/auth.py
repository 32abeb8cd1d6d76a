"""Signing of calls below httpx's own logging, so that keys sent in the query string reach neither a log nor an error.

Basic and query keys count only when the shop's PHP sees HTTPS; on plain http only OAuth 1.0a (one-legged, HMAC-SHA256) does.
Many hosts strip the Authorization header, and a proxy that ends TLS may hide it from PHP: "auto" therefore tries Basic, the
query string and OAuth signed for http in turn, until one is accepted (reference: measured on WooCommerce 11.0.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlencode

import httpx

from adapters.woocommerce.settings import WooCommerceSettings


class Keys:
    """The key pair and the way it is sent. `proven` once a call was accepted: from then on the way stays."""

    def __init__(self, settings: WooCommerceSettings, now: Callable[[], datetime]) -> None:
        self._key = settings.key.get_secret_value()
        self._secret = settings.secret.get_secret_value()
        self._now = now
        self._auto = settings.auth == "auto"
        tls = settings.url.startswith("https:")
        self._ways: list[str] = (
            [settings.auth] if not self._auto else ["basic", "query", "oauth1"] if tls else ["oauth1"]
        )
        self.way = self._ways[0]
        self.proven = False

    def try_next(self) -> bool:
        """Go to the next way after a 401; False (and back to the first one) when all were tried."""
        if self.proven:
            return False
        place = self._ways.index(self.way) + 1
        self.way = self._ways[place % len(self._ways)]
        return place < len(self._ways)

    def sign(self, request: httpx.Request) -> httpx.Request:
        """A copy of the request that carries the keys."""
        url, headers = request.url, request.headers.copy()
        if self.way == "basic":
            pair = base64.b64encode(f"{self._key}:{self._secret}".encode()).decode()
            headers["Authorization"] = "Basic " + pair
        else:
            params = dict(url.params)
            if self.way == "query":
                params |= {"consumer_key": self._key, "consumer_secret": self._secret}
            else:
                params |= self._oauth(request.method, url, params)
            url = url.copy_with(query=urlencode(params, quote_via=quote).encode())
        return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)

    def _oauth(self, method: str, url: httpx.URL, params: dict[str, str]) -> dict[str, str]:
        """RFC 5849 without a token; the key of the HMAC is the secret and "&"."""
        own = {
            "oauth_consumer_key": self._key,
            "oauth_timestamp": str(int(self._now().timestamp())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
        }
        pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted((params | own).items()))
        address = url.copy_with(query=None, scheme="http" if self._auto else url.scheme, port=url.port)
        text = "&".join((method, quote(str(address), safe=""), quote(pairs, safe="")))
        digest = hmac.new((self._secret + "&").encode(), text.encode(), hashlib.sha256).digest()
        return own | {"oauth_signature": base64.b64encode(digest).decode()}


class SigningTransport(httpx.BaseTransport):
    """Signs just before the wire: httpx logs and errors only ever see the unsigned request."""

    def __init__(self, inner: httpx.BaseTransport, keys: Keys) -> None:
        self._inner = inner
        self._keys = keys

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(self._keys.sign(request))

    def close(self) -> None:
        self._inner.close()
