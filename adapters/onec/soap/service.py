"""One site service of УНФ over SOAP: its WSDL read by zeep, its answers handed on as they came.

Facts (the service's description in the stock УНФ 3.0): ports for SOAP 1.1 and 1.2; the address inside the WSDL is what the
web server thought of itself, so calls go to the address in the settings; all arguments are nillable; an answer is a
CommerceML document inside `return`, large enough that it is streamed instead of being made into objects.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import IO, Any

import requests
import zeep
import zeep.exceptions
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport

from adapters.base import AdapterContext, BadConfig, OutcomeUnknown, RecordRefused, RetryLater, SverkaError, Text
from adapters.onec.soap.bounded import MAX_ANSWER, MAX_RATIO, TooLarge, bounded
from adapters.onec.soap.settings import SoapSettings
from adapters.onec.soap.typed import typed

_ENVELOPES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")


_ROOT = "КоммерческаяИнформация".encode()
_DOCUMENT = re.compile(rb"<((?:[\w.-]+:)?" + _ROOT + rb")[\s/>][^>]*")
_PREFIX = re.compile(rb"\sxmlns:([\w.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_UTF8 = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml(?![^>]*encoding\s*=\s*[\"'](?!utf-8[\"']))|<[^?!])", re.I)
_ENVELOPE = 16 * 1024  # what may stand before the document


class Service:
    def __init__(self, settings: SoapSettings, context: AdapterContext) -> None:
        self._settings, self._context = settings, context
        self._session = requests.Session()
        login, password = settings.login.encode(), settings.password.get_secret_value().encode()
        self._session.auth = HTTPBasicAuth(login, password)
        self._session.verify = settings.verify_tls
        self._session.hooks["response"].append(bounded)
        self._carrier = _Carrier()
        self._client: Any = None  # zeep has no types of its own
        self._proxy: Any = None

    def close(self) -> None:
        self._session.close()

    def operations(self) -> set[str]:
        """Names of what the service offers."""
        self._open()
        return set(self._proxy._operations)

    def document(self, operation: str, arguments: Mapping[str, Any]) -> IO[bytes]:
        """The CommerceML document that the operation answers with. RetryLater, BadConfig or RecordRefused otherwise."""
        response = self._call(operation, arguments, writing=False)
        if (whole := _as_it_came(response.content)) is not None:
            return whole
        found = self._returned(response)
        inside = [e for e in found if isinstance(e.tag, str)]
        if inside:
            return io.BytesIO(etree.tostring(inside[0], encoding="UTF-8", xml_declaration=True))
        text = (found.text or "").strip()
        if text.startswith("<"):
            return io.BytesIO(text.encode())
        if found.tag.endswith("КоммерческаяИнформация") or found.get("ВерсияСхемы"):
            return io.BytesIO(etree.tostring(found, encoding="UTF-8", xml_declaration=True))
        raise self._odd("no document in the answer", "в ответе нет документа")

    def picture(self, arguments: Mapping[str, Any]) -> bytes:
        """What GetPicture answers with (base64); empty where there is none or it is no picture's text."""
        said = _words(self._returned(self._call("GetPicture", arguments, writing=False)))
        try:
            return base64.b64decode(said)
        except ValueError:
            return b""

    def load(self, document: bytes, arguments: Mapping[str, Any]) -> str:
        """The answer to LoadOrders (a boolean, or a JSON text), given this document of orders."""
        self._carrier.document = document
        try:
            given = {"OrdersData": zeep.xsd.SkipValue, **arguments}
            return _words(self._returned(self._call("LoadOrders", given, writing=True)))
        finally:
            self._carrier.document = b""

    def _open(self) -> None:
        if self._client is not None:
            return
        made: Any = Transport
        seconds = self._settings.timeout
        transport = made(session=self._session, timeout=seconds, operation_timeout=seconds)
        made, address = zeep.Client, self._settings.address
        self._context.limiter.wait()
        try:
            self._client = made(
                f"{address}?wsdl",
                transport=transport,
                settings=zeep.Settings(strict=False, raw_response=True, xml_huge_tree=True),
                plugins=[self._carrier],
            )
        except (requests.RequestException, zeep.exceptions.Error, etree.XMLSyntaxError, ValueError) as error:
            raise self._unreadable(error) from None
        except TooLarge:
            raise _too_large("?wsdl") from None
        self._proxy = self._client.create_service(self._binding(), address)

    def _binding(self) -> str:
        """The SOAP 1.1 binding where there are both: every 1C has it."""
        names = sorted(self._client.wsdl.bindings, key=lambda n: ("12" in n, n))
        if not names:
            raise self._unreadable(None)
        return str(names[0])

    def _call(self, operation: str, arguments: Mapping[str, Any], writing: bool) -> requests.Response:
        self._open()
        call = getattr(self._proxy, operation, None) if operation in self.operations() else None
        if call is None:
            raise BadConfig(
                Text(f"the service has no operation {operation}", f"в сервисе нет операции {operation}"),
                code="soap.operation",
                setting="service",
            )
        self._context.limiter.wait()
        try:
            response: requests.Response = call(**{k: zeep.xsd.Nil if v is None else v for k, v in arguments.items()})
        except requests.ConnectionError as error:
            if writing and "refused" not in str(error).lower():
                raise self._unknown() from None
            raise self._away() from None
        except requests.RequestException:
            raise (self._unknown() if writing else self._away()) from None
        except TooLarge:
            raise (self._unknown() if writing else _too_large(operation)) from None
        except (zeep.exceptions.Error, TypeError, ValueError) as error:
            raise RecordRefused(
                Text(f"{operation} does not take these arguments ({type(error).__name__})",
                     f"{operation} не принимает такие аргументы ({type(error).__name__})"),
                code="soap.arguments",
            ) from None  # fmt: skip
        self._judge(response, writing)
        return response

    def _judge(self, response: requests.Response, writing: bool) -> None:
        if response.status_code in (401, 403):
            raise BadConfig(
                Text("1C does not accept this login and password", "1С не принимает логин и пароль"),
                code="soap.auth",
                setting="password",
            )
        if response.status_code == 404:
            raise self._unreadable(None)
        if response.status_code >= 500 and b"Fault" not in response.content:
            raise self._unknown() if writing else self._away()

    def _returned(self, response: requests.Response) -> etree._Element:
        """The `return` element (or the only child of the answer); RecordRefused with 1C's words for a fault."""
        try:
            root = etree.fromstring(
                response.content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
            )
        except etree.XMLSyntaxError:
            raise self._odd("the answer is no XML, or cut", "ответ не XML или оборван") from None
        if root.getroottree().docinfo.internalDTD is not None:  # its entities would leave holes in the texts
            raise self._odd("the answer carries a DOCTYPE", "в ответе есть DOCTYPE")
        body = next((e for ns in _ENVELOPES for e in root.iterfind(f"{{{ns}}}Body")), None)
        answer = next((e for e in body if isinstance(e.tag, str)), None) if body is not None else None
        if answer is None:
            raise self._odd("the answer is no SOAP envelope", "ответ не конверт SOAP")
        if etree.QName(answer).localname == "Fault":
            said = " ".join(_words(e) for e in answer.iter("{*}faultstring", "{*}Text")).strip()[:300]
            raise RecordRefused(Text(f"1C refused: {said}", f"1С отказала: {said}"), code="soap.fault")
        return next((e for e in answer if isinstance(e.tag, str) and etree.QName(e).localname == "return"), answer)

    def _unknown(self) -> SverkaError:
        return OutcomeUnknown(Text("1C did not answer a write", "1С не ответила на запись"), code="soap.unknown")

    def _away(self) -> SverkaError:
        return RetryLater(
            Text("1C cannot be reached or is busy", "1С недоступна или занята"), code="soap.connect", setting="url"
        )

    def _odd(self, en: str, ru: str) -> SverkaError:
        return RetryLater(Text(f"1C: {en}; nothing was taken", f"1С: {ru}; ничего не взято"), code="soap.shape")

    def _unreadable(self, error: Exception | None) -> SverkaError:
        status = getattr(getattr(error, "response", None), "status_code", getattr(error, "status_code", None))
        if status in (401, 403):
            return BadConfig(
                Text("1C does not accept this login and password", "1С не принимает логин и пароль"),
                code="soap.auth",
                setting="password",
            )
        if isinstance(error, requests.RequestException) and status is None:
            return self._away()
        return BadConfig(
            Text(f"no description of the service at {self._settings.address}?wsdl",
                 f"по адресу {self._settings.address}?wsdl нет описания сервиса"),
            code="soap.wsdl",
            setting="url",
            remedy=Text("Publish the web services of the base: Configurator → Administration → Publish on a web server.",
                        "Опубликуйте веб-сервисы базы: Конфигуратор → Администрирование → Публикация на веб-сервере."),
        )  # fmt: skip


def _too_large(operation: str) -> RecordRefused:
    return RecordRefused(
        Text(
            f"1C's answer to {operation} unpacks to more than {MAX_ANSWER // 1024**3} GB or over {MAX_RATIO} times its size; "
            "nothing was taken",
            f"ответ 1С на {operation} распаковывается больше чем в {MAX_ANSWER // 1024**3} ГБ или более чем в {MAX_RATIO} раз; "
            "ничего не взято",
        ),
        code="soap.size",
        setting="group",
        remedy=Text(
            "Ask for less: set group or warehouse of the connection.",
            "Запрашивайте меньше: задайте group или warehouse подключения.",
        ),
    )


def _as_it_came(content: bytes) -> IO[bytes] | None:
    """The document inside the envelope without a tree of all of it (ten times the answer's size in memory): its own bytes,
    with the prefixes that the envelope declares. None where it is not plainly there: a fault, a text, another encoding."""
    found = _DOCUMENT.search(content, 0, _ENVELOPE)
    if found is None or b"<!" in content[: found.start()] or not _UTF8.match(content):
        return None
    end = content.rfind(b"</" + found[1] + b">")
    if end < 0:
        return None
    own = {name for name, _ in _PREFIX.findall(found[0])}
    above = {name: value for name, value in _PREFIX.findall(content[: found.start()]) if name not in own}
    more = b"".join(b" xmlns:%s=%s" % one for one in above.items())
    at = found.end(1)
    head = b'<?xml version="1.0" encoding="UTF-8"?>' + content[found.start() : at] + more
    return io.BufferedReader(_Chain(head, memoryview(content)[at : end + len(found[1]) + 3]))


class _Carrier:
    """Puts the document of orders into a call, as it is: zeep knows such an argument only as objects of each element."""

    document = b""

    def egress(self, envelope: etree._Element, headers: Any, operation: Any, options: Any) -> Any:
        """What zeep asks its plugins of a call before it goes out."""
        body = next(e for ns in _ENVELOPES for e in envelope.iterfind(f"{{{ns}}}Body"))
        if self.document:
            space = etree.QName(body[0]).namespace
            body[0].insert(0, typed(self.document, f"{{{space}}}OrdersData"))
        return envelope, headers


class _Chain(io.RawIOBase):
    """Some bytes and a part of others, without a copy of that."""

    def __init__(self, *parts: bytes | memoryview) -> None:
        self._parts = [memoryview(one) for one in parts]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._parts and not self._parts[0]:
            self._parts.pop(0)
        if not self._parts:
            return 0
        size = min(len(buffer), len(self._parts[0]))
        buffer[:size] = self._parts[0][:size]
        self._parts[0] = self._parts[0][size:]
        return size


def _words(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip()
