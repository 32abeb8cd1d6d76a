"""Contact events of any system as JSON: calls of a telephone exchange, meetings, notes, messenger messages.

POST one object or a list of them. `type` is required, everything else is optional:

    {"type": "call", "id": "4711", "at": "2026-03-01T10:00:00+03:00", "direction": "in", "duration": 65,
     "phone": "+79990000000", "email": "", "name": "", "company": "", "inn": "", "deal": "1043",
     "subject": "", "text": "", "author": ""}

The same id again is the same event with newer contents; without an id, the contents are the id. Other keys are kept
under `extra`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from pydantic import SecretStr

from adapters.base import (
    Adapter,
    AdapterSettings,
    Arrival,
    Capabilities,
    Finding,
    Native,
    Problem,
    Reception,
    Record,
    RecordRefused,
    Text,
)

MAX_BODY = 1 << 20
TYPES = ("call", "meeting", "note", "message")
DIRECTIONS = ("", "in", "out")
TEXTS = ("phone", "email", "name", "company", "inn", "deal", "subject", "text", "author")
WHO = ("phone", "email", "name", "company", "inn", "deal")
SHAPE = re.compile(rb'"type"\s*:\s*"(?:call|meeting|note|message)"')
PING_METHODS = ("GET", "HEAD", "OPTIONS")
SAMPLE = b'{"type": "note", "id": "sample", "at": "2026-01-01T00:00:00Z", "text": "sample"}'


class EventsSettings(AdapterSettings):
    secret: SecretStr | None = None  # header X-Api-Key, Authorization: Bearer, or ?key=…
    previous_secret: SecretStr | None = None  # accepted as well while the secret is being changed


class EventsAdapter(Adapter):
    title = Text("Events (JSON)", "События (JSON)")
    role = "form"
    mapping = "events"
    suffixes = (".json",)
    Settings = EventsSettings
    capabilities = Capabilities(receives=True)
    settings: EventsSettings

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return 2 if SHAPE.search(head) and head.lstrip()[:1] in (b"{", b"[") else super().likeness(name, head)

    def check(self) -> Iterator[Finding]:
        if self._secrets():
            yield Finding("auth", True, Text("posts must carry the secret", "события принимаются только с секретом"))
        else:
            text = Text("no secret is wanted: anybody may post", "секрет не задан: отправить событие может любой")
            remedy = Text("set `secret` and send it in X-Api-Key", "задайте `secret` и шлите его в X-Api-Key")
            yield Finding("auth", self.settings.secret is None, text, "secret", remedy)
        sample = Arrival("sample", at=self.context.now(), size=len(SAMPLE), open=lambda: BytesIO(SAMPLE))
        found = [item for item in self.unpack(sample) if isinstance(item, Record)]
        yield Finding("sample", len(found) == 1, Text("a sample event is read", "пробное событие читается"), "adapter")

    def receive(self, arrival: Arrival) -> Reception:
        """The hub's hash of the body is the key: the same id with other contents is no repeat."""
        if arrival.method.upper() in PING_METHODS:
            return Reception(label="ping")
        if not self._trusted(arrival):
            reason = Text(
                "the secret is missing or wrong: send the connection's `secret` in X-Api-Key",
                "секрет не передан или неверен: передавайте `secret` этого подключения в X-Api-Key",
            )
            return Reception(label="unsigned", reason=reason)
        try:
            elements(arrival)
        except RecordRefused as error:
            return Reception(label="oversized" if error.code == "events.oversized" else "broken", reason=error.text)
        return Reception()

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem]:
        """One record for each good element; a broken one is a Problem and its neighbours go on."""
        if arrival.method.upper() in PING_METHODS:
            return
        for position, element in enumerate(elements(arrival)):
            try:
                data = event(element, arrival.at)
            except RecordRefused as error:
                raw = canonical(element)
                id = _id(element) or f"{hashlib.sha256(raw).hexdigest()[:32]}-{position}"
                yield Problem("event", id, error, raw)
            else:
                yield Record("event", data["id"], data)

    def _secrets(self) -> list[str]:
        held = (self.settings.secret, self.settings.previous_secret)
        return [value for secret in held if secret is not None and (value := secret.get_secret_value())]

    def _trusted(self, arrival: Arrival) -> bool:
        authorization = arrival.headers.get("authorization", "")
        bearer = authorization[7:] if authorization[:7].lower() == "bearer " else ""
        given = (arrival.headers.get("x-api-key", ""), bearer, arrival.query.get("key", ""))
        accepted = self._secrets()
        return not accepted or any(
            hmac.compare_digest(candidate.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))
            for candidate in given
            for secret in accepted
        )


def elements(arrival: Arrival) -> list[Any]:
    """The events of a body, unread; RecordRefused when it is no JSON object or list at all."""
    with arrival.open() as stream:
        raw = stream.read(MAX_BODY + 1)
    if len(raw) > MAX_BODY or arrival.size > MAX_BODY:
        raise _refuse("oversized", "", "the body is larger than 1 MiB: send fewer events at once",
                      "тело больше 1 МиБ: шлите меньше событий за раз")  # fmt: skip
    try:
        document = json.loads(raw.removeprefix(b"\xef\xbb\xbf"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _refuse(
            "json",
            "",
            f"the body is not valid JSON in UTF-8 (line {line}): send one event object or a list of them",
            f"тело — не правильный JSON в UTF-8 (строка {line}): шлите один объект события или список",
        ) from None
    if not isinstance(document, dict | list) or not document:
        raise _refuse("json", "", "JSON came, but neither an event object nor a list of them",
                      "пришёл JSON, но не объект события и не список событий")  # fmt: skip
    return document if isinstance(document, list) else [document]


def event(element: Any, received: datetime) -> Native:
    """One element as a native event with checked type, time, direction and duration; RecordRefused names the field."""
    if not isinstance(element, dict):
        raise _refuse("shape", "", "an element of the list is not an object", "элемент списка — не объект")
    kind = element.get("type")
    if kind not in TYPES:
        raise _field("type", kind, ", ".join(TYPES))
    direction = element.get("direction") or ""
    if direction not in DIRECTIONS:
        raise _field("direction", direction, "in, out")
    data: Native = {"type": kind, "direction": direction, "at": _moment(element.get("at"), received)}
    if (seconds := element.get("duration")) is not None:
        data["duration"] = _seconds(seconds)
    for name in TEXTS:
        value = element.get(name)
        if isinstance(value, dict | list | bool):
            raise _field(name, value, "text")
        if value is not None and (text := _clean(str(value)).strip()):
            data[name] = text
    known = {"type", "id", "direction", "at", "duration", *TEXTS}
    extra = {_clean(name): _keep(value) for name, value in element.items() if name not in known}
    if extra:
        data["extra"] = extra
    if not any(name in data for name in WHO):
        data["contactless"] = True
    # without a stated time, the same words received on another day are another event: the received time is hashed in
    data["id"] = _id(element) or hashlib.sha256(canonical(data)).hexdigest()[:32]
    return data


def canonical(value: Any) -> bytes:
    """One byte string for equal JSON values, whatever the order of their keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode("utf-8", "replace")


def _id(element: Any) -> str:
    value = element.get("id") if isinstance(element, dict) else None
    return _clean(str(value)).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _moment(value: Any, received: datetime) -> str:
    """The event's time in UTC, as ISO text; without one, when it was received. A time without a zone is refused."""
    moment = received
    if value not in (None, ""):
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError("no zone")
            moment = moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise _field("at", value, "2026-03-01T10:00:00+03:00") from None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _seconds(value: Any) -> int:
    text = str(value)
    if (
        isinstance(value, int | str)
        and not isinstance(value, bool)
        and text.isascii()
        and text.isdecimal()
        and len(text) < 9
    ):
        return int(text)
    raise _field("duration", value, "whole seconds / целые секунды")


def _keep(value: Any) -> Any:
    """A value that no field is made for, as it came, fit for storage."""
    if isinstance(value, dict):
        return {_clean(name): _keep(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_keep(item) for item in value]
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which no database text can hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _field(name: str, value: Any, valid: str) -> RecordRefused:
    """A named field that cannot be used. Contact data are not repeated in the message."""
    shown = "" if name in TEXTS else f" {str(value)[:40]!r}"
    return _refuse(
        "field",
        name,
        f"`{name}`{shown} cannot be used; valid: {valid}. Correct it and send the event again",
        f"поле `{name}`{shown} не подходит; допустимо: {valid}. Исправьте и отправьте событие ещё раз",
    )


def _refuse(cause: str, name: str, en: str, ru: str) -> RecordRefused:
    return RecordRefused(Text(en, ru), code=f"events.{cause}", field=name)
