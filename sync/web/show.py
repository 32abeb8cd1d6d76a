"""Templates with their filters, and how an error is shown: as a page, or as JSON under /api."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sync.errors import RetryLater, SverkaError, Text
from sync.hub import Hub
from sync.model.types import iso
from sync.web.words import Words

HERE = Path(__file__).parent
STATIC = HERE / "static"
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "BYN": "Br"}


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(money=money, quantity=quantity, when=when, recent=recent, plain=plain)
    files = sorted(p for p in STATIC.iterdir() if p.is_file())
    made.globals["version"] = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:8]
    return made


def money(value: Any, currency: str | None = None, language: str = "ru") -> str:
    """12 345,60 ₽ or 12,345.60 ₽; "—" where there is none."""
    if value is None or value == "":
        return "—"
    try:
        number = Decimal(value)
        text = f"{number:,.2f}" if number.is_finite() else str(value)
    except (ArithmeticError, TypeError, ValueError):
        text = str(value)
    if language == "ru":
        text = text.replace(",", "\u00a0").replace(".", ",")
    return f"{text}\u00a0{_SIGNS.get(currency or '', currency or '')}".rstrip("\u00a0")


def quantity(value: Any, language: str = "ru") -> str:
    """5 or 2,5: without empty decimals."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(".", ",") if language == "ru" else text


def when(value: datetime | None, language: str = "ru") -> Markup | str:
    """A time in this PC's zone, with UTC in its title."""
    return _time(value, "%d.%m.%Y %H:%M:%S" if language == "ru" else "%Y-%m-%d %H:%M:%S")


def recent(value: datetime | None, language: str = "ru") -> Markup | str:
    """The same in short: of today only the hour, of another day no seconds."""
    if value is not None and value.astimezone().date() == datetime.now(UTC).astimezone().date():
        return _time(value, "%H:%M:%S")
    return _time(value, "%d.%m.%Y %H:%M" if language == "ru" else "%Y-%m-%d %H:%M")


def _time(value: datetime | None, form: str) -> Markup | str:
    if value is None:
        return "—"
    utc = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(value), utc, value.astimezone().strftime(form))


def plain(value: Any) -> str:
    """A field's value in a line: what a person would read aloud."""
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {plain(v)}" for k, v in value.items() if v is not None)
    if isinstance(value, list):
        return "; ".join(plain(v) for v in value)
    return str(value)


_TEMPLATES = _environment()


def language_of(hub: Hub, request: Request) -> str:
    """?lang=, else what was chosen by it before, else hub.language."""
    for asked in (request.query_params.get("lang"), request.cookies.get("lang")):
        if asked in ("ru", "en"):
            return asked
    return hub.config.hub.language


def page(hub: Hub, request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page from a template. For htmx, which refreshes a part of it, only the block "live"."""
    language = language_of(hub, request)
    words = Words(language)
    values |= {
        "t": words,
        "say": words.say,
        "lang": language,
        "path": request.url.path,
        "query": request.query_params,
        "here": _here(request),
        "me": request.scope.get("state", {}).get("who", ""),
    }
    if request.headers.get("hx-request") == "true" and status == 200:
        template = f"live/{template}"
    answer = HTMLResponse(_TEMPLATES.get_template(template).render(values), status)
    if request.query_params.get("lang") in ("ru", "en"):
        answer.set_cookie("lang", language, max_age=31536000, httponly=True, samesite="strict")
    return answer


def _here(request: Request) -> str:
    """This page's address without what was said once."""
    left = request.url.remove_query_params(["done", "n", "lang"])
    return f"{left.path}?{left.query}" if left.query else left.path


def as_json(value: Any, status: int = 200) -> Response:
    """Decimal as text, times as ISO 8601 with Z."""
    # Keys of database rows are a subclass of str, which orjson takes only with this option
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return Response(orjson.dumps(value, _json_value, options), status, media_type="application/json")


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} is not shown as JSON")


def problem(hub: Hub, request: Request, error: SverkaError, status: int) -> Response:
    """An error in words: what happened, what mends it, and where."""
    if request.url.path.startswith("/api/"):
        return as_json({"error": error_json(error)}, status)
    try:
        answer = page(hub, request, "error.html", status, error=error)
    except Exception:  # the page itself may be what is broken
        answer = HTMLResponse(escape(error.text.say(hub.config.hub.language)), status)
    answer.headers["HX-Reswap"] = "none"  # a part that is refreshed stays as it was
    if isinstance(error, RetryLater):
        answer.headers["Retry-After"] = str(error.after or 5)
    return answer


def error_json(error: SverkaError) -> dict[str, Any]:
    def both(text: Text | None) -> dict[str, str] | None:
        return {"en": text.en, "ru": text.ru} if text else None

    return {
        "code": error.code,
        "text": both(error.text),
        "remedy": both(error.remedy),
        "setting": error.setting,
        "field": error.field,
    }
