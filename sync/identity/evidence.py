"""One contact event as evidence: whose keys it shows, by what name, for which company. Nothing here looks into the base.

The four shapes (web_form, email, order, call) and their fields are those of `sverka identity eval`; unknown fields are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sync.identity import companies, letter, mailbox, names
from sync.identity.lexicon import MARKETPLACES, TRADES
from sync.identity.mailbox import Mailbox
from sync.model import keys

_INN = re.compile(
    r"инн(?:\s+[а-яё]{3,15})?\W{0,5}(?:кпп\W{0,3})?(\d{10}(?:\d{2})?)(?!\d)|\binn\W{0,5}(\d{10}(?:\d{2})?)(?!\d)",
    re.IGNORECASE,
)
_OGRN = re.compile(
    r"огрн(?:ип)?\W{0,5}(\d{13}(?:\d{2})?)(?!\d)|\bogrn(?:ip)?\W{0,5}(\d{13}(?:\d{2})?)(?!\d)", re.IGNORECASE
)
_KPP = re.compile(r"(?:(?:кпп|kpp)\W{0,5}|\b\d{10}\s?[/\\]\s?)(\d{9})(?!\d)", re.IGNORECASE)
_PHONE = re.compile(
    r"(?:\+\s?\d[\d\s()\-\u2010-\u2014.]{8,20}\d|\b[78]?[\s\-]?\(?\d{3,5}\)?[\s\-]?\d{1,3}[\s\-]?\d{2}[\s\-]?\d{2})"
    r"(?!\d)(?:\s*,?\s*(?:доб|вн|внутр|ext)\.?\s*\d{1,6})?"
)
_ADDRESS = re.compile(r"[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+")
FORM = re.compile(
    r"\b(?:ООО|АО|ПАО|ЗАО|ОАО|НАО|ИП|АНО|ГУП|МУП|ФГУП|LLC|JSC|PJSC|Ltd|OOO|ТОО|ГБУЗ?|МБУ|ФГБУ|М[БА]ОУ|КФХ|ТСЖ|СНТ|НКО|GmbH|Inc|"
    r"Corp)\b|о\.\s?о\.\s?о\.|общество с огр|акционерное общ|индивидуальный предпр|некоммерческая орг|унитарное предпр|"
    r"бюджетное учр|фермерское хоз",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"(?:\bпо|\bдля|\bот|\bиз|компани[яию]|организаци[яию])\s+(?P<name>[^,.;\n]{3,80})", re.IGNORECASE)
_LABEL = re.compile(
    r"^\s*(?P<label>имя|ф\.?и\.?о|name|тел(?:ефон)?|phone|моб(?:ильный)?|e-?mail|почта|компания|организация|company)\.?\s*[:=]\s*"
    r"(?P<value>[^\n]{1,200})$",
    re.IGNORECASE | re.MULTILINE,
)
_HIDDEN = re.compile(
    r"\s*(?:anonymous|unknown|private|hidden|restricted|unavailable|withheld|скрыт\w*|неизвест\w*|аноним\w*|-|0+)?\s*"
)
_FROM = re.compile(
    r"^(?P<who>.{0,60}?)(?:\s+|,\s*)(?:из|от|компания|с\s+фирмы|фирма)\s+(?P<company>.{2,80})$", re.IGNORECASE
)
_MACHINE_SUBJECT = re.compile(
    r"(?:(?:re|fwd?|ответ)\s*:\s*)*\W*(?:undeliver|delivery\s+(?:status|failure|has\s+failed|delayed)|mail\s+delivery|returned\s+mail|"
    r"failure\s+notice|не\s*доставлен|сообщение\s+не\s+доставлено|не\s+удалось\s+доставить|автоответ|автоматический\s+ответ|"
    r"out\s+of\s+(?:the\s+)?office|auto(?:matic)?[\s-]*(?:reply|response)|вне\s+офиса|нет\s+на\s+(?:рабочем\s+)?месте|"
    r"отч[её]т\s+о\s+(?:прочтении|доставке)|(?:прочтено|read|not\s+read)\s*:)",
    re.IGNORECASE,
)
_MACHINE_TEXT = re.compile(
    r"(?:автоматическ\w+|robot|робот\w*|automat\w+)(?s:.{0,200})(?:не\s+отвечайте|отвечать\s+(?:на\s+него\s+)?не\s+(?:нужно|надо|требуется)|"
    r"не\s+требует\s+ответа|do\s+not\s+(?:reply|respond))|\A\W*(?:это\s+)?автоматическ(?:ое|ий)\s+(?:сообщение|письмо|уведомление|ответ)|"
    r"\A\W*this\s+is\s+an\s+automat",
    re.IGNORECASE,
)
_MACHINE_NAME = re.compile(
    r"^(?:mail\s+delivery|mailer|postmaster|no-?reply|system\s+administrator|служба\s+доставки\s+(?:почты|писем)|"
    r"автоматическ|(?:почтовый\s+)?(?:робот|robot)\b)",
    re.IGNORECASE,
)
_OUR_ROLE = re.compile(r"бухгалтер|юрист|представител", re.IGNORECASE)
_ASIDE = re.compile(r"[,|•]| [—–-] ")  # what stands behind a name in its line: the post, the company
_NO_NAME = re.compile(r"\d|@|http|www")
_CONTACTS = re.compile(r"\d{5}|@|http|www|^тел|^моб|^e-?mail|^инн|^кпп", re.IGNORECASE)
_CLUTTER = re.compile(r"\S*(?:@|www\.|https?:)\S*")
_POST = re.compile(
    r"(?:^|\W)(?:менеджер|директор|бухгалтер|инженер|специалист|руководитель|начальник|отдел|юрист|секретарь|"
    r"manager|director|engineer|head|sales|ceo|cto)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"^(?:sips?|tel):", re.IGNORECASE)
_BETWEEN = re.compile(r"[;,\s]+(?=\S+@)")
_READ = 2_000  # characters of a text that are searched for names of known companies
MANY = 12  # a field with more values than that is a list of somebody's contacts, not of the sender's


@dataclass(frozen=True, slots=True)
class Own:
    """The firm's own side, from the configuration: never a client."""

    domains: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()
    inns: frozenset[str] = frozenset()
    country: str = "RU"

    @classmethod
    def of(
        cls, domains: Iterable[str] = (), lines: Iterable[str] = (), inns: Iterable[str] = (), country: str = "RU"
    ) -> Own:
        numbers = {form.split(";")[0] for line in lines for form in keys.phones(line, country)}
        return cls(
            frozenset(d.strip().lower().removeprefix("www.") for d in domains),
            frozenset(numbers),
            frozenset(inns),
            country,
        )

    def holds(self, domain: str) -> bool:
        return any(domain == own or domain.endswith("." + own) for own in self.domains)


@dataclass(slots=True)
class Evidence:
    """What an event says of its sender. Lists are in the order of their weight."""

    kind: str
    at: str = ""
    ignored: str = ""  # why it is no client's event: robot, own_staff, own_line, hidden
    name: names.Name = names.NO_NAME
    mailboxes: list[Mailbox] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    inns: list[str] = field(default_factory=list)
    ogrns: list[str] = field(default_factory=list)
    kpp: str = ""
    companies: list[companies.Company] = field(default_factory=list)
    text: str = ""  # what the sender wrote, where a company may be named in passing
    third_party: bool = False  # a relay's order: its phone and address stand for somebody else's
    outsider: bool = False  # an accountant or representative of several companies: no company in his own signature
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # (field, raw, why it is no key)

    @property
    def domain(self) -> str:
        return next((m.domain for m in self.mailboxes if m.domain), "")

    def empty(self) -> bool:
        return not (self.mailboxes or self.phones or self.inns or self.ogrns or self.companies)


def read(event: Mapping[str, Any], own: Own) -> Evidence:
    """The evidence in one event. Never raises: what cannot be read is in `refused`, with the reason."""
    kind = _text(event, "kind")
    found = Evidence(kind, _text(event, "at"))
    if kind == "email":
        _letter(found, event, own)
    elif kind == "call":
        _call(found, event, own)
    else:
        _form(found, event, own)
    if not found.ignored and found.kind != "call" and found.mailboxes and _all_own(found, own):
        found.ignored = "own_staff"
    found.mailboxes = [m for m in found.mailboxes if not own.holds(m.value.rpartition("@")[2])]
    found.phones = [p for p in found.phones if p not in own.lines]
    found.inns = [i for i in found.inns if i not in own.inns]
    return found


def _all_own(found: Evidence, own: Own) -> bool:
    return all(own.holds(m.value.rpartition("@")[2]) for m in found.mailboxes) and not found.phones and not found.inns


def _form(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    """Web forms and orders: the buyer's fields; the recipient of a gift is nobody's evidence."""
    found.third_party = _marketplace(_text(event, "shop"))
    _fields(found, event, own)
    comment = _text(event, "comment")
    if comment:
        found.text = comment[:_READ]
        _numbers(found, comment)
        if not (found.phones or found.mailboxes or found.third_party):  # «перезвоните на …» instead of the field
            found.phones += _found_phones(comment, own.country)
            _mailboxes(found, _ADDRESS.findall(comment)[:2])
    if not found.name and "first_name" in event:
        found.name = names.parse(f"{_text(event, 'first_name')} {_text(event, 'last_name')}")
    if found.third_party:
        found.mailboxes = [m for m in found.mailboxes if m.kind != "relay"]


@lru_cache(maxsize=1_000)
def _marketplace(shop: str) -> bool:
    shop = shop.lower().replace(" ", "_").replace("-", "_")
    return any(shop == place or shop.startswith(place + "_") or place in shop.split(".") for place in MARKETPLACES)


def _fields(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    _phones(found, "phone", _texts(event, "phone", "phones"), own.country)
    _mailboxes(found, _texts(event, "email", "emails"))
    for raw in _texts(event, "inn"):
        _inn(found, raw)
    for raw in _texts(event, "ogrn"):
        if form := keys.ogrn(raw):
            found.ogrns.append(form)
    found.kpp = keys.kpp(_text(event, "kpp")) or found.kpp
    found.name = names.parse(_text(event, "name"))
    for raw in _texts(event, "company"):
        if not oneself(found.name, raw):
            _company(found, raw)


def oneself(name: names.Name, raw: str) -> bool:
    """A person who fills in the company's field with the own name works for nobody."""
    company = companies.parse(raw)
    return name.full and not company.form and set(company.words) == set(name.words)


def _letter(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    sender, shown = _text(event, "from_addr"), _text(event, "from_name")
    body = letter.read(_text(event, "body"))
    box = mailbox.read(sender)
    answer = mailbox.read(_text(event, "reply_to"))
    machine = box is None or box.kind == "robot" or own.holds(box.value.rpartition("@")[2])
    if answer is not None and machine and answer.kind != "robot" and not own.holds(answer.value.rpartition("@")[2]):
        _labelled(found, body.own, own)  # a site's form by mail: the answer goes to the client
        found.mailboxes.append(answer)
        return
    if box is None:
        found.refused.append(("from_addr", sender[:80], "not_an_address"))
    elif own.holds(box.value.rpartition("@")[2]):
        if not _staff_forward(found, body, own) and not _labelled(found, body.own, own):
            found.ignored = "own_staff"
        return
    if (
        (box is not None and box.kind == "robot")
        or _MACHINE_NAME.match(shown.strip())
        or _MACHINE_SUBJECT.match(_text(event, "subject"))
        or _MACHINE_TEXT.search(body.own[:1000])
    ):
        if not _labelled(found, body.own, own):
            found.ignored = "robot"
        return
    if box is not None and box.kind != "relay":  # a relay's address changes from letter to letter
        found.mailboxes.append(box)
    _shown(found, shown)
    found.text = f"{_text(event, 'subject')}\n{body.own}"[:_READ]
    _signature(found, body.signature or _unmarked(found, body.own), own)
    _numbers(found, body.own)
    if found.inns:
        _named_in(found, body.own)
    if box in found.mailboxes:
        found.mailboxes[0] = _common(found.mailboxes[0], found, shown)
    found.outsider = found.outsider and not found.domain and not any(FORM.search(x) for x in body.signature.split("\n"))


def _shown(found: Evidence, shown: str) -> None:
    """The name that a mail program shows: a person's, a company's, or both («Иван Петров, ООО Ромашка»)."""
    form = FORM.search(shown)
    if form is None:
        found.name = names.parse(shown)
        return
    before = shown[: form.start()].strip(' ,;|/\\(-–—"«')
    person = names.parse(before)
    if person.full and person.first and len(shown) > form.end() + 2:
        found.name = person
        _company(found, shown[form.start() :].strip(" )"))
    else:
        _company(found, shown[form.start() :] if before and names.nobody(before) else shown)


def _labelled(found: Evidence, text: str, own: Own) -> bool:
    """A site's form that came by mail («Имя: …», «Телефон: …»): whether it shows a name and a key of a client."""
    fields = {m["label"].lower()[:3]: m["value"].strip() for m in _LABEL.finditer(text[:4000])}
    found.name = names.parse(fields.get("имя") or fields.get("фио") or fields.get("nam") or "")
    for key in ("тел", "pho", "моб"):
        _phones(found, "phone", [fields[key]] if key in fields else [], own.country)
    for key in ("e-m", "ema", "поч"):
        _mailboxes(found, [fields[key]] if key in fields else [])
    for key in ("ком", "орг", "com"):
        if key in fields:
            _company(found, fields[key])
    _numbers(found, text)
    found.mailboxes = [m for m in found.mailboxes if not own.holds(m.value.rpartition("@")[2])]
    found.phones = [p for p in found.phones if p not in own.lines]
    return bool(found.name and (found.mailboxes or found.phones))


def _staff_forward(found: Evidence, body: letter.Letter, own: Own) -> bool:
    """A colleague forwards a client's letter: it is the client's event when the header block names him."""
    if body.forwarded_from is None:
        return False
    name, address = body.forwarded_from
    box = mailbox.read(address)
    if box is None or box.kind in ("robot", "relay") or own.holds(box.value.rpartition("@")[2]):
        return False
    found.mailboxes.append(box)
    found.name = names.parse(name)
    return True


def _unmarked(found: Evidence, text: str) -> str:
    """A signature that no line or greeting announces: a last block that begins with the very name that the letter shows."""
    block = letter.last_block(text)
    signer = names.parse(_ASIDE.split(block.partition("\n")[0], 1)[0])
    agreed = found.name and signer.full and names.compare(signer, found.name).verdict == "full"
    return block if agreed and len(signer.words) <= 3 else ""


def _signature(found: Evidence, text: str, own: Own) -> None:
    """Name, company, phones and numbers of a signature, when it is the sender's own."""
    if not text:
        return
    lines = [line for line in text.split("\n") if line.strip()]
    signer = names.NO_NAME
    for line in lines[:3]:
        plain = _ASIDE.split(line, 1)[0]
        if not _NO_NAME.search(plain) and not FORM.search(plain) and len(plain) < 60:
            signer = names.parse(plain)
            if signer:
                break
    if signer and found.name and names.compare(signer, found.name).verdict in ("other", "doubt"):
        return  # somebody else's signature: a secretary's, or a pasted one
    if signer and (not found.name or len(signer.words) >= len(found.name.words)):
        found.name = signer
    for index, line in enumerate(lines):
        _numbers(found, line)
        found.phones += [n for n in _found_phones(line, own.country) if n not in found.phones]
        for address in _ADDRESS.findall(line)[:3]:
            box = mailbox.read(address)
            if box and box not in found.mailboxes and box.kind in ("person", "role"):
                found.mailboxes.append(box)
        if _OUR_ROLE.search(line):
            found.outsider = True
        if FORM.search(line):
            _company(found, _firm_in(line))
            continue
        if _CONTACTS.search(line) or _PHONE.search(line):
            continue
        if signer and names.parse(_ASIDE.split(line, 1)[0]) == signer:
            continue
        if index in (1, 2) and not re.search(r"[,:]", line) and len(line) < 60 and not _job(line):
            _company(found, line)


def _firm_in(line: str) -> str:
    """The company of a signature's line: «директор ООО "Ромашка"», «Иван Петров, ООО Ромашка, т. …»."""
    parts = _ASIDE.split(_CLUTTER.sub(" ", _PHONE.sub(" ", line)))
    at = next((n for n, part in enumerate(parts) if FORM.search(part)), 0)
    part = parts[at].strip()
    form = FORM.search(part)
    if form is None or form[0] == part:
        return line  # «Ромашка, ООО»
    before = part[: form.start()].strip(' "«(-–—:')
    return part[form.start() :] if before and (names.nobody(before) or _job(before)) else part


def _common(box: Mailbox, found: Evidence, shown: str) -> Mailbox:
    """A desk's mailbox: named like the company, shown as a department, or nameless and not like anybody's name."""
    local = "".join(keys.skeleton(w) for w in re.findall(r"[^\W\d_]+", box.local))
    named_so = any(len(c.key) >= 5 and c.key in local for c in found.companies if not c.owner)
    department = bool(shown.strip()) and not found.name and names.nobody(shown)
    nameless = not found.name and not shown.strip() and not box.domain and any(word in box.local for word in TRADES)
    return replace(box, kind="role") if named_so or department or nameless else box


def _job(line: str) -> bool:
    """A line of a signature that names a post, not a company."""
    return _POST.search(line) is not None


def _call(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    """The other side's number; a note such as «Гена из Родника»."""
    outgoing = _text(event, "direction") == "out"
    theirs = [_text(event, n) for n in (("to_number", "to_line") if outgoing else ("from_number",))]
    raw = next((t for t in theirs if t), "")
    if outgoing and not raw:
        raw = _text(event, "from_number")
    _said_beside(found, event)
    known = bool(found.mailboxes or found.inns or found.companies)
    if _HIDDEN.fullmatch(raw.lower()):
        found.ignored = "" if known else "hidden"
        found.name = names.parse(_text(event, "from_name") or _text(event, "name"))
        return
    raw = _SCHEME.sub("", raw).partition("@")[0]
    _phones(found, "from_number", [raw], own.country)
    if any(p in own.lines for p in found.phones):
        found.ignored = "own_line"
        return
    note = _text(event, "note") or _text(event, "comment")
    if not found.phones and not note and not known:
        digits = sum(c.isdigit() for c in raw)
        found.ignored = "hidden" if not digits else "own_line" if digits <= 5 else "nothing"
        return
    if note and len(note) <= 120:
        if (parts := _FROM.match(note.strip())) is not None:
            found.name = names.parse(parts["who"])
            _company(found, parts["company"])
        elif len(note.split()) <= 4:
            found.name = names.parse(note)
    if note:
        found.text = note[:_READ]
        _numbers(found, note)
    if not found.name:
        found.name = names.parse(_text(event, "from_name") or _text(event, "name"))


def _said_beside(found: Evidence, event: Mapping[str, Any]) -> None:
    """What a telephone system knows of the caller besides his number."""
    _mailboxes(found, _texts(event, "email", "emails"))
    for raw in _texts(event, "inn"):
        _inn(found, raw)
    for raw in _texts(event, "company"):
        _company(found, raw)


def _numbers(found: Evidence, text: str) -> None:
    """INN, OGRN and KPP written out in a text; only with the word before them."""
    for match in _INN.finditer(text):
        _inn(found, match[1] or match[2])
    for match in _OGRN.finditer(text):
        if (form := keys.ogrn(match[1] or match[2])) and form not in found.ogrns:
            found.ogrns.append(form)
    if (code := _KPP.search(text)) is not None:
        found.kpp = keys.kpp(code[1]) or found.kpp


def _named_in(found: Evidence, text: str) -> None:
    """«Прошу акт сверки по ООО "Каскад", ИНН …»: the company that a letter's text is about."""
    for match in _ABOUT.finditer(text):
        name = match["name"].strip()
        if FORM.search(name):
            found.companies.insert(0, companies.parse(name))
            return


def _inn(found: Evidence, raw: str) -> None:
    form = keys.inn(raw)
    if form and not found.kpp and (code := _KPP.search(raw)) is not None:  # «7707083893/770701001»
        found.kpp = keys.kpp(code[1]) or ""
    if form is None:
        found.refused.append(("inn", raw[:40], "checksum"))
    elif form not in found.inns:
        found.inns.append(form)


def _company(found: Evidence, raw: str) -> None:
    for match in _INN.finditer(raw):
        _inn(found, match[1] or match[2])
    company = companies.parse(_INN.sub(" ", raw))
    if company and company not in found.companies:
        found.companies.append(company)


def _phones(found: Evidence, where: str, raws: list[str], country: str) -> None:
    forms = [form for raw in raws for form in keys.phones(raw, country)]
    if len(forms) > MANY:
        found.refused.append((where, f"{len(forms)}", "too_many"))
        return
    for raw in raws:
        if not keys.phones(raw, country):
            found.refused.append((where, raw[:80], "not_a_phone"))
    found.phones += [n for form in forms if (n := form.split(";")[0]) not in found.phones]


def _found_phones(line: str, country: str) -> list[str]:
    return [n.split(";")[0] for m in _PHONE.finditer(line[:300]) for n in keys.phones(m[0], country)][:4]


def _mailboxes(found: Evidence, raws: list[str]) -> None:
    parts = [part for raw in raws for part in _BETWEEN.split(raw.strip()) if part]
    if len(parts) > MANY:
        found.refused.append(("email", f"{len(parts)}", "too_many"))
        return
    for part in parts:
        box = mailbox.read(part)
        if box is None:
            found.refused.append(("email", part[:80], "not_an_address"))
        elif box.kind == "relay" or box.kind == "robot":
            found.refused.append(("email", part[:80], box.kind))
        elif box not in found.mailboxes:
            found.mailboxes.append(box)


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) and value else ""


def _texts(event: Mapping[str, Any], *found: str) -> list[str]:
    texts = []
    for name in found:
        value = event.get(name)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, (str, int)) and str(item).strip() and item is not True:
                texts.append(str(item).strip())
    return texts
