"""From a form's names and values to one native lead, the same for every kind of form.

The lead: name, phone, email, … where the form has them; `form` {id, name, page, referer}; `fields`, everything that no
rule named; `consent` {field: raw value}; `utm` {source, medium, …} of the last touch and `first_touch` where a cookie
remembers another one; `cart`; `files`; `sent_at`, when the hub received it. Empty values are left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from adapters.base import Arrival, Native, Record
from adapters.forms.body import MAX_DEPTH, Form, Pair
from adapters.forms.spam import KEY_FIELDS, is_key

# How forms call these fields; compared without case, punctuation and a first word out of OWNERS.
ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "имя", "фио", "fio", "full name", "fullname", "как вас зовут", "контактное лицо"),
    "first_name": ("first name", "firstname"),
    "last_name": ("last name", "lastname", "surname", "фамилия"),
    "phone": ("phone", "tel", "телефон", "telephone", "mobile", "phone number", "номер телефона", "мобильный",
              "мобильный телефон", "контактный телефон", "телефон для связи", "моб телефон", "тел"),
    "email": ("email", "e mail", "mail", "почта", "электронная почта", "эл почта", "имейл", "емейл", "email address",
              "адрес электронной почты"),
    "company": ("company", "компания", "организация", "название компании", "organization", "название организации"),
    "inn": ("inn", "инн", "инн организации", "инн компании"),
    "subject": ("subject", "тема"),
    "comment": ("comment", "comments", "textarea", "message", "сообщение", "комментарий", "комментарии", "вопрос",
                "text", "текст сообщения"),
}  # fmt: skip
FORM_ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("formid", "form id", "wpcf7"),
    "name": ("formname", "form name", "form title"),
    "page": ("page", "page url", "pageurl", "landing page"),
    "referer": ("referer", "referrer"),
}
_TARGETS = {alias: target for target, aliases in ALIASES.items() for alias in aliases}
_TARGETS |= {alias: f"form.{target}" for target, aliases in FORM_ALIASES.items() for alias in aliases}
OWNERS = frozenset({"your", "ваш", "ваша", "ваше", "ваши", "contact", "client", "customer", "data", "fields"})
CONSENT = ("соглас", "consent", "agree", "privacy", "gdpr", "acceptance", "персональн", "политик", "рассылк", "подписк",
           "newsletter", "subscribe")  # fmt: skip
UTM = ("source", "medium", "campaign", "content", "term")
# What may be kept of the site's cookies, besides roistat…
COOKIES = ("TILDAUTM", "_ym_uid", "_ga", "yclid", "gclid", "ymclid")
_TOUCHED = frozenset({"cookies", *KEY_FIELDS})  # fields whose values are not stored as they came
ORDINARY = 64  # characters of a name
CHANGING = frozenset({"smart-token", "g-recaptcha-response", "_wpnonce", "csrf_token", "csrfmiddlewaretoken"})


def plain(name: str) -> str:
    """A field's name as people mean it: "your-name" → "name", "Ваш телефон:" → "телефон"."""
    return _ordinary(name)[0] if len(name) <= ORDINARY else _plain(name)


def _plain(name: str) -> str:
    words = re.sub(r"[\W_]+", " ", name.casefold().replace("ё", "е")).split()
    if len(words) > 1 and words[0] in OWNERS:
        words = words[1:]
    return " ".join(words)


def _consent(words: str) -> bool:
    return re.fullmatch(r"checkbox( ?\d+)?", words) is not None or any(stem in words for stem in CONSENT)


@lru_cache(maxsize=2048)
def _ordinary(name: str) -> tuple[str, bool]:
    """A form's names are the same each time: what is found out about them is remembered."""
    words = _plain(name)
    return words, _consent(words)


def native_lead(form: Form, arrival: Arrival, exact: Mapping[str, str], skip: Collection[str] = ()) -> Native:
    """The lead. `exact` names the vendor's own fields, tried before the usual names; `skip` are service fields."""
    values: dict[str, list[str]] = {}
    utm: dict[str, str] = {}
    cookies: dict[str, str] = {}
    cart: list[Pair] = []
    for name, value in form.pairs:
        lower = name.lower()
        if name and lower in skip:
            continue
        if lower == "cookies":
            cookies |= read_cookies(value)
        elif lower.startswith("utm_") and lower[4:] in UTM:
            utm[lower[4:]] = value.strip()
        elif lower.startswith("payment["):
            cart.append((name, value))
        else:
            values.setdefault(name.removesuffix("[]"), []).append(value.strip())
    lead: Native = {}
    meant: dict[str, list[str]] = {}
    for name in values:
        meant.setdefault(_TARGETS.get(plain(name), ""), []).append(name)
    for target in ALIASES:
        if value := _take(values, exact.get(target, ""), meant.get(target, ())):
            lead[target] = value
    about = {
        target: _take(values, exact.get(f"form.{target}", ""), meant.get(f"form.{target}", ()))
        for target in FORM_ALIASES
    }
    lead["form"] = {target: value for target, value in about.items() if value}
    _attribute(lead, utm, cookies, arrival)
    lead["consent"] = {name: _joined(values.pop(name)) for name in list(values) if is_consent(name)}
    fields = {name: text for name, held in values.items() if (text := _joined(held))}
    lead["fields"] = {**fields, **{name: value for name, value in cookies.items() if name != "TILDAUTM"}}
    lead["cart"] = _cart(cart)
    lead["files"] = [{"field": u.field, "name": u.name, "type": u.type, "size": u.size} for u in form.uploads]
    lead = {key: value for key, value in lead.items() if value}
    lead["sent_at"] = arrival.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if not reachable(lead):
        lead["contactless"] = True
    return lead


def form_id(pairs: Iterable[Pair], exact: str = "", skip: Collection[str] = ()) -> str:
    """The form's own id, as `native_lead` finds it, without making the lead."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        own = name.removesuffix("[]")
        if (own == exact or _TARGETS.get(plain(own)) == "form.id") and name.lower() not in skip:
            values.setdefault(own, []).append(value.strip())
    return _take(values, exact, values)


def _take(values: dict[str, list[str]], exact: str, names: Iterable[str]) -> str:
    """The first filled value under the exact name or one of these; it leaves `values`, others of it stay."""
    for name in (exact, *names) if exact else names:
        if filled := [value for value in values.get(name, ()) if value]:
            values[name] = filled[1:]
            return filled[0]
    return ""


def _joined(values: list[str]) -> str:
    return ", ".join(value for value in values if value)


def is_consent(name: str) -> bool:
    """Checkboxes and fields named like a consent. Each keeps its own name: one purpose, one consent."""
    return _ordinary(name)[1] if len(name) <= ORDINARY else _consent(_plain(name))


def reachable(lead: Native) -> bool:
    """Whether there is a phone number or an e-mail address to answer to; their spelling is judged later."""
    return "@" in lead.get("email", "") or sum(c.isdecimal() for c in lead.get("phone", "")) >= 5


def _attribute(lead: Native, utm: dict[str, str], cookies: Mapping[str, str], arrival: Arrival) -> None:
    """Where the visitor came from. The page's query string is the last touch and wins over the cookie, the first one."""
    lead["form"].setdefault("page", arrival.headers.get("referer", "")[:2000])
    page = query_marks(lead["form"]["page"])
    remembered = tilda_marks(cookies.get("TILDAUTM", ""))
    called = {name[4:]: value for name, value in arrival.query.items() if name.startswith("utm_") and name[4:] in UTM}
    last = {name: value for marks in (called, page, utm) for name, value in marks.items() if value}
    lead["utm"] = last or remembered
    lead["first_touch"] = remembered if last and remembered != last else {}
    lead["form"] = {key: value for key, value in lead["form"].items() if value}


def query_marks(address: str) -> dict[str, str]:
    """The utm marks in an address's query string, percent-decoded once and cut at #."""
    try:
        query = urlsplit(address).query
        pairs = parse_qsl(query, max_num_fields=200, errors="replace")
    except ValueError:
        return {}
    return {name[4:].lower(): value for name, value in pairs if name[:4].lower() == "utm_" and name[4:].lower() in UTM}


def tilda_marks(cookie: str) -> dict[str, str]:
    """utm_source=…|||utm_medium=… of Tilda's cookie, as it stands there: percent-encoded once."""
    marks = {}
    for part in re.split(r"\|\|\|(?:amp;)?", unquote(cookie, errors="replace")):
        name, _, value = part.strip().partition("=")
        if name[:4].lower() == "utm_" and name[4:].lower() in UTM and value:
            marks[name[4:].lower()] = value
    return marks


def read_cookies(header: str) -> dict[str, str]:
    """Only the cookies that say where a visitor came from: the others are the site's secrets."""
    kept = {}
    for part in header.split(";"):
        name, found, value = part.strip().partition("=")
        if found and value and (name in COOKIES or name.startswith("roistat")):
            kept[name] = value
    return kept


def storable(form: Form, own: Collection[str]) -> bytes | None:
    """The body to store instead of the raw one: without foreign cookies and our own key. None when it had neither."""
    if not form.encoded or not any(name.lower() in _TOUCHED for name, _ in form.pairs):
        return None
    kept: list[Pair] = []
    for name, value in without_key(form.pairs, own):
        if name.lower() == "cookies":
            value = "; ".join(f"{key}={held}" for key, held in read_cookies(value).items())
        kept.append((name, value))
    return None if kept == form.pairs else urlencode(kept).encode()


def without_key(pairs: Iterable[Pair], own: Collection[str]) -> list[Pair]:
    """The fields without those that hold our own secret."""
    return [pair for pair in pairs if pair[0].lower() not in KEY_FIELDS or not is_key(*pair, own)]


def _cart(pairs: list[Pair]) -> dict[str, Any]:
    """payment[products][0][name]=… as nested objects; where a name is both a value and an object, the value is under ""."""
    cart: dict[str, Any] = {}
    for name, value in pairs:
        path = re.findall(r"\[([^\[\]]*)\]", name)[:MAX_DEPTH] or [""]
        node = cart
        for segment in path[:-1]:
            held = node.get(segment)
            if not isinstance(held, dict):
                held = {} if held is None else {"": held}
                node[segment] = held
            node = held
        if isinstance(node.get(path[-1]), dict):
            node[path[-1]][""] = value
        else:
            node[path[-1]] = value
    return cart


def digest(lead: Native) -> str:
    """What makes two posts the same message: form, phone, mail and answers, without spelling, marks and one-time tokens."""
    phone = re.sub(r"\D", "", lead.get("phone", ""))
    if len(phone) == 11 and phone[0] == "8":
        phone = "7" + phone[1:]
    elif len(phone) == 10:
        phone = "7" + phone
    answers = {**lead.get("fields", {}), **lead.get("consent", {})}
    answers |= {
        key: lead[key]
        for key in ("name", "first_name", "last_name", "company", "inn", "subject", "comment")
        if key in lead
    }
    told = sorted(
        (plain(name), " ".join(str(value).casefold().split()))
        for name, value in answers.items()
        if name.lower() not in CHANGING and name not in COOKIES and not name.startswith("roistat")
    )
    extra = [lead.get("cart", {}), lead.get("files", [])]
    whole = [lead.get("form", {}).get("id", ""), phone, lead.get("email", "").lower(), told, extra]
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def record(lead: Native, id: str, arrival: Arrival) -> Record:
    """The lead under its sender's id. Without one, the same words sent on another day are another lead: the time tells."""
    own = id or f"{digest(lead)[:32]}-{arrival.at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return Record("lead", own, {"id": own, **lead})
