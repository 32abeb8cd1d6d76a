"""A posted form's body, whatever its encoding, as one ordered list of names and values.

Everything here is bounded (bytes, fields, depth) and raises only RecordRefused, whose code says why: "form.empty",
"form.format", "form.encoding", "form.fields", "form.cut", "form.oversized". File contents are counted, never kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.base import Arrival, RecordRefused, Text

MAX_BODY = 1 << 20
MAX_FIELDS = 200
MAX_DEPTH = 6
CHARSETS = frozenset({"windows-1251", "cp1251", "koi8-r", "iso-8859-5", "cp866"})  # what Russian sites still declare

Pair = tuple[str, str]
_BOUNDARY = re.compile(rb"--([^\r\n]{1,200})\r?\nContent-Disposition:\s*form-data", re.I)
_PAIRS = re.compile(rb"[^\s=&<>{}\[\]][^\s=&<>{}]{0,200}=[^\s<>]*(?:$|[&\s])")
_CONTACT = re.compile(
    '"(?:[^"]{0,20}[ _-])?(?:name|phone|tel|email|e-mail|имя|фио|телефон|почта|form_response|fields)"\\s*:'.encode(),
    re.I,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with the form; its content stays in the stored arrival."""

    field: str
    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """`json` is the document itself where the body was JSON: some services need more of it than names and values."""

    pairs: list[Pair]
    uploads: list[Upload] = field(default_factory=list)
    json: Any = None
    encoded: bool = False  # urlencoded: it can be written again without what must not be stored


def resembles(head: bytes) -> int:
    """2 for a body that is surely a form's, 1 for what may be one: JSON without any usual name."""
    text = head.removeprefix(b"\xef\xbb\xbf").strip()
    if _BOUNDARY.match(text) or (_PAIRS.match(text) and text.count(b"\n") < 3):
        return 2
    if text[:1] == b"{":
        return 2 if _CONTACT.search(text) else 1
    return 0


def refuse(code: str, en: str, ru: str) -> RecordRefused:
    return RecordRefused(Text(en, ru), code=f"form.{code}")


def parse(arrival: Arrival, max_upload: int = MAX_BODY) -> Form:
    """The form in an arrival of any content type. `max_upload` bounds a multipart body with its files, in bytes."""
    content_type, options = _content_type(arrival)
    boundary = options.get("boundary", "")
    if not content_type and (begun := _BOUNDARY.match(_head(arrival))):  # a body without its header, from a file
        content_type, boundary = "multipart/form-data", begun[1].strip().decode("latin-1")
    if content_type == "multipart/form-data":
        if not boundary:
            raise refuse("format", "multipart body without a boundary", "тело multipart без разделителя (boundary)")
        with arrival.open() as stream:
            return multipart(stream, boundary, max_upload)
    raw = read(arrival)
    if raw.lstrip()[:1] in (b"{", b"["):  # senders of JSON often declare another type: believe the body
        return from_json(raw)
    return Form(urlencoded(raw, options.get("charset", "")), encoded=True)


def _head(arrival: Arrival) -> bytes:
    with arrival.open() as stream:
        return stream.read(512).lstrip()


def read(arrival: Arrival, limit: int = MAX_BODY) -> bytes:
    """The whole body of at most `limit` bytes, without a byte order mark; never empty."""
    if arrival.size > limit:
        raise _oversized(limit)
    with arrival.open() as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise _oversized(limit)
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise refuse("empty", "the body is empty: no form fields were sent", "тело пустое: поля формы не переданы")
    return raw


def urlencoded(raw: bytes, charset: str = "") -> list[Pair]:
    """Names and values, percent-decoded once, in UTF-8 or windows-1251."""
    if b"=" not in raw or raw.lstrip().startswith((b"{", b"[", b"<", b"--")):
        raise refuse(
            "format",
            "the body is not form fields (name=value&…): check what the site sends to this address",
            "тело — не поля формы (имя=значение&…): проверьте, что сайт шлёт на этот адрес",
        )
    parts = [part for part in raw.strip().split(b"&") if part]
    _bounded(len(parts))
    pairs = []
    for part in parts:
        name, _, value = part.partition(b"=")
        pairs.append((_decoded(name, charset), _decoded(value, charset)))
    return [(name, value) for name, value in pairs if name or value]


def _decoded(raw: bytes, charset: str) -> str:
    """One name or value."""
    if raw.isalnum():  # of ASCII letters and digits alone: most of them
        return raw.decode("ascii")
    return decode(unquote_to_bytes(raw.replace(b"+", b" ")), charset)


def decode(value: bytes, charset: str = "") -> str:
    """UTF-8, the declared charset or windows-1251, in this order. A letter cut in half at the end is dropped."""
    try:
        return clean(value.decode("utf-8"))
    except UnicodeDecodeError as error:
        head = value[: error.start]
        if error.reason == "unexpected end of data" and not head.isascii():
            return clean(head.decode("utf-8"))  # the sender cut a long text by bytes
    for name in (charset.lower(), "windows-1251"):
        if name in CHARSETS:
            try:
                return clean(value.decode(name))
            except UnicodeDecodeError:
                continue
    raise refuse(
        "encoding",
        "a field is neither UTF-8 nor windows-1251: set the form's encoding to UTF-8",
        "поле не в UTF-8 и не в windows-1251: задайте форме кодировку UTF-8",
    )


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which no database text can hold."""
    if text.isascii():
        return text.replace("\x00", "")
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def from_json(raw: bytes) -> Form:
    """A JSON object, flat, nested, or with its fields in `fields` (an object, or a list of {name|id|title, value})."""
    document = load_json(raw)
    if not isinstance(document, dict):
        raise refuse("format", "JSON came, but not an object of fields", "пришёл JSON, но не объект с полями")
    pairs: list[Pair] = []
    fields = document.get("fields")
    if isinstance(fields, dict | list):
        document = {key: value for key, value in document.items() if key != "fields"}
        _flatten(_named(fields), "", pairs, 0)
    _flatten(document, "", pairs, 0)
    return Form(pairs, json=document)


def load_json(raw: bytes) -> Any:
    """JSON with Decimals for fractions, from UTF-8/16/32 or windows-1251 text."""
    try:
        try:
            text = raw.decode(json.detect_encoding(raw))
        except UnicodeDecodeError:
            text = raw.decode("windows-1251")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_every)
    except (ValueError, ArithmeticError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise refuse(
            "format",
            f"the body is not valid JSON (line {line}): check what the site sends to this address",
            f"тело — не правильный JSON (строка {line}): проверьте, что сайт шлёт на этот адрес",
        ) from None


def _every(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose name came twice keeps both values, as a form's fields of one name do."""
    found = dict(pairs)
    if len(found) < len(pairs):
        for name in found:
            values = [value for key, value in pairs if key == name]
            found[name] = values if len(values) > 1 else values[0]
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _named(fields: Any) -> dict[str, Any]:
    """`fields` as an object, also from a list of {name|id|title, value}."""
    if isinstance(fields, dict):
        return fields
    named: dict[str, Any] = {}
    for position, item in enumerate(fields):
        label = str(position)
        value = item
        if isinstance(item, dict) and "value" in item:
            label = next((str(item[key]) for key in ("name", "id", "key", "title", "label") if item.get(key)), label)
            value = item["value"]
        named[label if label not in named else f"{label} {position}"] = value
    return named


def _flatten(value: Any, name: str, pairs: list[Pair], depth: int) -> None:
    """Nested names are joined by dots; a list gives its name several times; null gives nothing."""
    if depth > MAX_DEPTH:
        raise refuse("fields", f"fields are nested deeper than {MAX_DEPTH}", f"вложенность полей больше {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, item in value.items():
            _flatten(item, f"{name}.{key}" if name else key, pairs, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _flatten(item, name, pairs, depth + 1)
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        pairs.append((clean(name), clean(text)))
        _bounded(len(pairs))


def multipart(stream: IO[bytes], boundary: str, limit: int) -> Form:
    """Fields, and the names and sizes of files, of a multipart body that is read in one pass and never held whole."""
    parts = _Parts()
    size = 0
    try:
        parser = MultipartParser(boundary.encode("utf-8"), parts.callbacks())  # type: ignore[arg-type]
        while chunk := stream.read(1 << 16):
            size += len(chunk)
            if size > limit:
                raise _oversized(limit)
            parser.write(chunk)
    except FormParserError:
        raise refuse("format", "the multipart body is broken", "тело multipart повреждено") from None
    if not size:
        raise refuse("empty", "the body is empty: no form fields were sent", "тело пустое: поля формы не переданы")
    if not parts.ended:
        raise refuse(
            "cut", "the multipart body is cut off: its end mark is missing", "тело multipart оборвано: нет конца"
        )
    return Form(parts.pairs, parts.uploads)


class _Parts:
    """What the multipart parser reports, gathered part by part."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.uploads: list[Upload] = []
        self.ended = False
        self._headers: dict[str, str] = {}
        self._name = self._value = b""
        self._options: dict[str, str] = {}
        self._data = bytearray()
        self._size = self._kept = 0

    def callbacks(self) -> dict[str, Callable[..., None]]:
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end")
        calls: dict[str, Callable[..., None]] = {f"on_{name}": getattr(self, name) for name in names}
        return {**calls, "on_headers_finished": self.headers_finished, "on_end": self.end}

    def part_begin(self) -> None:
        self._headers, self._data, self._size = {}, bytearray(), 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def headers_finished(self) -> None:
        _, self._options = _options(self._headers.get("content-disposition", ""))

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if "filename" in self._options:
            return
        self._kept += end - start
        if self._kept > MAX_BODY:
            raise _oversized(MAX_BODY)
        self._data += data[start:end]

    def part_end(self) -> None:
        name = decode(self._options.get("name", "").encode("latin-1"))
        _bounded(len(self.pairs) + len(self.uploads) + 1)
        if "filename" not in self._options:
            self.pairs.append((name, decode(bytes(self._data))))
        elif self._size or self._options["filename"]:  # an empty file input is sent too
            file_name = re.split(r"[/\\]", decode(self._options["filename"].encode("latin-1")))[-1]
            file_type = _options(self._headers.get("content-type", ""))[0]
            self.uploads.append(Upload(name, file_name, clean(file_type), self._size))

    def end(self) -> None:
        self.ended = True


def _content_type(arrival: Arrival) -> tuple[str, dict[str, str]]:
    return _options(arrival.headers.get("content-type", ""))


def _options(header: str) -> tuple[str, dict[str, str]]:
    """A header's value and its options; an unreadable header counts as absent."""
    try:
        value, options = parse_options_header(header)
        return value.decode("latin-1"), {k.decode("latin-1"): v.decode("latin-1") for k, v in options.items()}
    except ValueError:
        return "", {}


def _bounded(count: int) -> None:
    if count > MAX_FIELDS:
        raise refuse("fields", f"more than {MAX_FIELDS} fields in one form", f"больше {MAX_FIELDS} полей в одной форме")


def _oversized(limit: int) -> RecordRefused:
    return refuse(
        "oversized",
        f"the body is larger than {limit // 1024} KiB",
        f"тело больше {limit // 1024} КиБ",
    )
