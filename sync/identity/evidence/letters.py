"""Letters: who wrote, whom the signature shows, and which are a machine's or a colleague's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync.identity import letter, mailbox, names
from sync.identity.evidence.gather import (
    ADDRESS,
    FORM,
    PHONE,
    READ,
    add_company,
    add_company_named_in,
    add_mailboxes,
    add_numbers,
    add_phones,
    phones_in,
    text_of,
)
from sync.identity.evidence.sender import Evidence, Own
from sync.identity.lexicon import TRADES
from sync.identity.mailbox import Mailbox
from sync.model import keys

_LABEL = re.compile(
    r"^\s*(?P<label>имя|ф\.?и\.?о|name|тел(?:ефон)?|phone|моб(?:ильный)?|e-?mail|почта|компания|организация|company)\.?\s*[:=]\s*"
    r"(?P<value>[^\n]{1,200})$",
    re.IGNORECASE | re.MULTILINE,
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


def read_letter(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    sender, shown = text_of(event, "from_addr"), text_of(event, "from_name")
    body = letter.read(text_of(event, "body"))
    box = mailbox.read(sender)
    answer = mailbox.read(text_of(event, "reply_to"))
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
        or _MACHINE_SUBJECT.match(text_of(event, "subject"))
        or _MACHINE_TEXT.search(body.own[:1000])
    ):
        if not _labelled(found, body.own, own):
            found.ignored = "robot"
        return
    if box is not None and box.kind != "relay":  # a relay's address changes from letter to letter
        found.mailboxes.append(box)
    _shown(found, shown)
    found.text = f"{text_of(event, 'subject')}\n{body.own}"[:READ]
    _signature(found, body.signature or _unmarked(found, body.own), own)
    add_numbers(found, body.own)
    if found.inns:
        add_company_named_in(found, body.own)
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
        add_company(found, shown[form.start() :].strip(" )"))
    else:
        add_company(found, shown[form.start() :] if before and names.nobody(before) else shown)


def _labelled(found: Evidence, text: str, own: Own) -> bool:
    """A site's form that came by mail («Имя: …», «Телефон: …»): whether it shows a name and a key of a client."""
    fields = {m["label"].lower()[:3]: m["value"].strip() for m in _LABEL.finditer(text[:4000])}
    found.name = names.parse(fields.get("имя") or fields.get("фио") or fields.get("nam") or "")
    for key in ("тел", "pho", "моб"):
        add_phones(found, "phone", [fields[key]] if key in fields else [], own.country)
    for key in ("e-m", "ema", "поч"):
        add_mailboxes(found, [fields[key]] if key in fields else [])
    for key in ("ком", "орг", "com"):
        if key in fields:
            add_company(found, fields[key])
    add_numbers(found, text)
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
        add_numbers(found, line)
        found.phones += [n for n in phones_in(line, own.country) if n not in found.phones]
        for address in ADDRESS.findall(line)[:3]:
            box = mailbox.read(address)
            if box and box not in found.mailboxes and box.kind in ("person", "role"):
                found.mailboxes.append(box)
        if _OUR_ROLE.search(line):
            found.outsider = True
        if FORM.search(line):
            add_company(found, _firm_in(line))
            continue
        if _CONTACTS.search(line) or PHONE.search(line):
            continue
        if signer and names.parse(_ASIDE.split(line, 1)[0]) == signer:
            continue
        if index in (1, 2) and not re.search(r"[,:]", line) and len(line) < 60 and not _job(line):
            add_company(found, line)


def _firm_in(line: str) -> str:
    """The company of a signature's line: «директор ООО "Ромашка"», «Иван Петров, ООО Ромашка, т. …»."""
    parts = _ASIDE.split(_CLUTTER.sub(" ", PHONE.sub(" ", line)))
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
