"""What every adapter that calls over HTTP needs: the first steps of `sverka check`, and what a call without an answer means."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.base import BadConfig, Finding, OutcomeUnknown, RetryLater, SverkaError, Text

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
LARGEST = 128 << 20  # bytes of one answer, unpacked: pages of records have a hundredth of that
_OF_THE_WIRE = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class TooLarge(httpx.HTTPError):
    """More came than LARGEST, or would have been unpacked."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be reached, and how its owner says what to mend. `setting` holds its address."""

    url: httpx.URL
    setting: str
    timeout: float  # seconds
    verify: bool  # the setting verify_tls
    unreachable: Text  # the remedy where the port does not answer
    certificate: Text  # the remedy where its certificate is not valid here
    plain: Text  # the remedy where the port does not speak TLS


def reach(place: Place) -> Iterator[Finding]:
    """Findings "dns", "connect" and "tls" (https only), in order. The first that is not ok is the last."""
    host = place.url.raw_host.decode()
    port = place.url.port or (443 if place.url.scheme == "https" else 80)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        text = Text(f"the name {host} is not known", f"имя {host} не находится")
        remedy = Text("Check the address for typing errors.", "Проверьте адрес на опечатки.")
        yield Finding("dns", False, text, place.setting, remedy)
        return
    yield Finding("dns", True, Text(f"{host} is known", f"имя {host} найдено"))
    try:
        with socket.create_connection((host, port), timeout=min(10, place.timeout)) as plain:
            yield Finding("connect", True, Text(f"port {port} answers", f"порт {port} отвечает"))
            if place.url.scheme == "https":
                yield _tls(plain, place, host, port)
    except OSError:
        text = Text(f"{host}, port {port}: no connection", f"{host}, порт {port}: нет соединения")
        yield Finding("connect", False, text, place.setting, place.unreachable)


def _tls(plain: socket.socket, place: Place, host: str, port: int) -> Finding:
    context = ssl.create_default_context()
    if not place.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(plain, server_hostname=host):
            pass
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        text = Text(f"the certificate is not valid here: {why}", f"сертификат не проходит проверку: {why}")
        return Finding("tls", False, text, "verify_tls", place.certificate)
    except OSError:
        text = Text(f"port {port} does not speak TLS", f"порт {port} не говорит по TLS")
        return Finding("tls", False, text, place.setting, place.plain)
    if not place.verify:
        return Finding(
            "tls", True, Text("TLS, certificate not verified (verify_tls)", "TLS без проверки сертификата (verify_tls)")
        )
    return Finding("tls", True, Text("the certificate is valid", "сертификат действителен"))


def whole(client: httpx.Client, method: str, url: httpx.URL | str, **request: Any) -> httpx.Response:
    """`client.request`, with an answer of at most LARGEST bytes: one that never ends must not fill this PC's memory.

    httpx.HTTPError as usual, TooLarge among them.
    """
    with client.stream(method, url, **request) as response:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > LARGEST:
                raise TooLarge(f"more than {LARGEST >> 20} MB")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)


def unanswered(error: httpx.HTTPError, host: str, vendor: str, certificate: Text, *, writing: bool) -> SverkaError:
    """The error of a call without a complete answer, its code "{vendor}.certificate", ".unknown" (a write that may be done),
    ".connect", ".too_large", ".timeout" or ".cut". `certificate`: the remedy where the host's certificate is not valid here."""
    kind = type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        text = Text(f"{host}: its TLS certificate is not valid here", f"{host}: сертификат TLS не проходит проверку")
        return BadConfig(text, code=f"{vendor}.certificate", setting="verify_tls", remedy=certificate)
    if writing and not isinstance(error, NOT_SENT):
        text = Text(
            f"{host}: no answer to a write ({kind}); the hub looks whether it was done",
            f"{host}: нет ответа на запись ({kind}); хаб проверит, выполнена ли она",
        )
        return OutcomeUnknown(text, code=f"{vendor}.unknown")
    if isinstance(error, NOT_SENT):
        en, ru, code = "cannot be reached", "недоступен", "connect"
    elif isinstance(error, TooLarge):
        en, ru, code = "gave an endless answer", "прислал бесконечный ответ", "too_large"
    elif isinstance(error, httpx.TimeoutException):
        en, ru, code = "did not answer in time", "не ответил вовремя", "timeout"
    else:
        en, ru, code = "cut the connection", "оборвал соединение", "cut"
    return RetryLater(Text(f"{host} {en} ({kind})", f"{host} {ru} ({kind})"), code=f"{vendor}.{code}")
