"""Keys out of fields and texts: numbers, phones, mailboxes, companies. What is no key goes to `refused`, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.identity import companies, mailbox
from sync.identity.evidence.sender import Evidence
from sync.model import keys

_INN = re.compile(
    r"инн(?:\s+[а-яё]{3,15})?\W{0,5}(?:кпп\W{0,3})?(\d{10}(?:\d{2})?)(?!\d)|\binn\W{0,5}(\d{10}(?:\d{2})?)(?!\d)",
    re.IGNORECASE,
)
_OGRN = re.compile(
    r"огрн(?:ип)?\W{0,5}(\d{13}(?:\d{2})?)(?!\d)|\bogrn(?:ip)?\W{0,5}(\d{13}(?:\d{2})?)(?!\d)", re.IGNORECASE
)
_KPP = re.compile(r"(?:(?:кпп|kpp)\W{0,5}|\b\d{10}\s?[/\\]\s?)(\d{9})(?!\d)", re.IGNORECASE)
PHONE = re.compile(
    r"(?:\+\s?\d[\d\s()\-\u2010-\u2014.]{8,20}\d|\b[78]?[\s\-]?\(?\d{3,5}\)?[\s\-]?\d{1,3}[\s\-]?\d{2}[\s\-]?\d{2})"
    r"(?!\d)(?:\s*,?\s*(?:доб|вн|внутр|ext)\.?\s*\d{1,6})?"
)
ADDRESS = re.compile(r"[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+")
FORM = re.compile(
    r"\b(?:ООО|АО|ПАО|ЗАО|ОАО|НАО|ИП|АНО|ГУП|МУП|ФГУП|LLC|JSC|PJSC|Ltd|OOO|ТОО|ГБУЗ?|МБУ|ФГБУ|М[БА]ОУ|КФХ|ТСЖ|СНТ|НКО|GmbH|Inc|"
    r"Corp)\b|о\.\s?о\.\s?о\.|общество с огр|акционерное общ|индивидуальный предпр|некоммерческая орг|унитарное предпр|"
    r"бюджетное учр|фермерское хоз",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"(?:\bпо|\bдля|\bот|\bиз|компани[яию]|организаци[яию])\s+(?P<name>[^,.;\n]{3,80})", re.IGNORECASE)
_BETWEEN = re.compile(r"[;,\s]+(?=\S+@)")
READ = 2_000  # characters of a text that are searched for names of known companies
MANY = 12  # a field with more values than that is a list of somebody's contacts, not of the sender's


def text_of(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) and value else ""


def texts_of(event: Mapping[str, Any], *found: str) -> list[str]:
    texts = []
    for name in found:
        value = event.get(name)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, (str, int)) and str(item).strip() and item is not True:
                texts.append(str(item).strip())
    return texts


def add_numbers(found: Evidence, text: str) -> None:
    """INN, OGRN and KPP written out in a text; only with the word before them."""
    for match in _INN.finditer(text):
        add_inn(found, match[1] or match[2])
    for match in _OGRN.finditer(text):
        if (form := keys.ogrn(match[1] or match[2])) and form not in found.ogrns:
            found.ogrns.append(form)
    if (code := _KPP.search(text)) is not None:
        found.kpp = keys.kpp(code[1]) or found.kpp


def add_inn(found: Evidence, raw: str) -> None:
    form = keys.inn(raw)
    if form and not found.kpp and (code := _KPP.search(raw)) is not None:  # «7707083893/770701001»
        found.kpp = keys.kpp(code[1]) or ""
    if form is None:
        found.refused.append(("inn", raw[:40], "checksum"))
    elif form not in found.inns:
        found.inns.append(form)


def add_company(found: Evidence, raw: str) -> None:
    for match in _INN.finditer(raw):
        add_inn(found, match[1] or match[2])
    company = companies.parse(_INN.sub(" ", raw))
    if company and company not in found.companies:
        found.companies.append(company)


def add_company_named_in(found: Evidence, text: str) -> None:
    """«Прошу акт сверки по ООО "Каскад", ИНН …»: the company that a letter's text is about."""
    for match in _ABOUT.finditer(text):
        name = match["name"].strip()
        if FORM.search(name):
            found.companies.insert(0, companies.parse(name))
            return


def add_phones(found: Evidence, where: str, raws: list[str], country: str) -> None:
    forms = [form for raw in raws for form in keys.phones(raw, country)]
    if len(forms) > MANY:
        found.refused.append((where, f"{len(forms)}", "too_many"))
        return
    for raw in raws:
        if not keys.phones(raw, country):
            found.refused.append((where, raw[:80], "not_a_phone"))
    found.phones += [n for form in forms if (n := form.split(";")[0]) not in found.phones]


def phones_in(line: str, country: str) -> list[str]:
    return [n.split(";")[0] for m in PHONE.finditer(line[:300]) for n in keys.phones(m[0], country)][:4]


def add_mailboxes(found: Evidence, raws: list[str]) -> None:
    parts = [part for raw in raws for part in _BETWEEN.split(raw.strip()) if part]
    if len(parts) > MANY:
        found.refused.append(("email", f"{len(parts)}", "too_many"))
        return
    for part in parts:
        box = mailbox.read(part)
        if box is None:
            found.refused.append(("email", part[:80], "not_an_address"))
        elif box.kind in ("relay", "robot"):
            found.refused.append(("email", part[:80], box.kind))
        elif box not in found.mailboxes:
            found.mailboxes.append(box)
