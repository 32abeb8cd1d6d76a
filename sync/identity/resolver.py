"""The decision whom an event is about: pure, from the event's identifiers and what is known of them.

Rules in order: INN (company), e-mail, mobile phone. A hit links by itself only if the name agrees or is absent; a name that
contradicts, or two keys that lead to two clients, is a question for a person and never a merge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.errors import Text
from sync.model import keys as forms

_RULES = {"inn": ("the INN", "ИНН"), "email": ("the e-mail", "адрес почты"), "phone": ("the phone", "телефон")}


@dataclass(frozen=True, slots=True)
class Keys:
    """Canonical identifiers of one event, each with the text it was read from."""

    phones: tuple[tuple[str, str], ...] = ()
    emails: tuple[tuple[str, str], ...] = ()
    inn: tuple[tuple[str, str], ...] = ()
    name: str = ""
    company: str = ""

    def all(self) -> list[tuple[str, str, str]]:
        """(kind, canonical value, raw) in the order of the rules."""
        return [
            *(("inn", v, raw) for v, raw in self.inn),
            *(("email", v, raw) for v, raw in self.emails),
            *(("phone", v, raw) for v, raw in self.phones),
        ]


@dataclass(frozen=True, slots=True)
class Known:
    """A client that one of the event's keys leads to."""

    uid: str
    kind: str  # company or contact
    name: str
    key: tuple[str, str]  # the key that led here: (kind, value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`client` None: a new client is to be made (or a holding card when `question` is set)."""

    client: str | None
    rule: str  # "inn", "email", "phone", "new", "review", "none"
    text: Text
    question: bool = False
    candidates: tuple[dict[str, Any], ...] = field(default=())


def keys_of(
    client: Mapping[str, Any], country: str = "RU", own_domains: Sequence[str] = (), own_lines: Sequence[str] = ()
) -> Keys:
    """The identifiers in a mapping's `client` section; own addresses and invalid values identify nobody.

    What cannot be read stays in the record that it came with; it is only no key.
    """
    phones: dict[str, str] = {}
    ours = {form for line in own_lines for form in forms.phones(line, country)}
    for raw in _texts(client, "phone", "phones"):
        for number in forms.phones(raw, country):
            if number not in ours:
                phones.setdefault(number.split(";")[0], raw)
    emails: dict[str, str] = {}
    for raw in _texts(client, "email", "emails"):
        mailbox = forms.email(raw)
        if mailbox and mailbox.rpartition("@")[2] not in own_domains:
            emails.setdefault(mailbox, raw)
    inn = {form: raw for raw in _texts(client, "inn") if (form := forms.inn(raw))}
    names = _texts(client, "name") or [" ".join(_texts(client, "first_name", "last_name"))]
    company = _texts(client, "company")
    return Keys(
        tuple(phones.items()),
        tuple(emails.items()),
        tuple(inn.items()),
        names[0].strip(),
        company[0] if company else "",
    )


def resolve(keys: Keys, known: Sequence[Known]) -> Verdict:
    """Whom the keys identify, given the clients they lead to."""
    if not keys.all():
        return Verdict(None, "none", Text("nothing identifies the sender", "ничто не указывает на отправителя"))
    for kind in ("inn", "email", "phone"):
        hits = {k.uid: k for k in known if k.key[0] == kind}
        if not hits:
            continue
        others = {k.uid: k for k in known}
        if kind != "inn" and len(others) > 1:
            return _question(
                list(others.values()),
                Text("the identifiers lead to different clients", "признаки ведут к разным клиентам"),
            )
        if len(hits) > 1:
            return _question(
                list(hits.values()), Text("several clients share the identifier", "признак общий у нескольких клиентов")
            )
        hit = next(iter(hits.values()))
        en, ru = _RULES[kind]
        said = keys.name if hit.kind == "contact" else keys.company  # anybody may write in a company's name
        if kind != "inn" and not names_agree(said, hit.name):
            return _question([hit], Text(f"{en} agrees, the name does not", f"{ru} совпал, имя другое"))
        named = bool(said and hit.name)
        return Verdict(
            hit.uid,
            kind,
            Text(
                f"{en} agrees{', the name fits' if named else ''}", f"{ru} совпал{', имя согласуется' if named else ''}"
            ),
        )
    return Verdict(
        None, "new", Text("no client with these identifiers was known", "клиента с такими признаками не было")
    )


def names_agree(a: str, b: str) -> bool:
    """Whether two names may be one person's: one is missing, or they share a word that is not merely an initial."""
    left = {t for t in forms.name_tokens(a) if len(t) > 1}
    right = {t for t in forms.name_tokens(b) if len(t) > 1}
    return not left or not right or bool(left & right)


def _question(hits: Sequence[Known], text: Text) -> Verdict:
    candidates = tuple(
        {"uid": h.uid, "name": h.name, "key": h.key[1], "reason": {"en": text.en, "ru": text.ru}} for h in hits[:5]
    )
    return Verdict(None, "review", text, True, candidates)


def _texts(client: Mapping[str, Any], *names: str) -> list[str]:
    found: list[str] = []
    for name in names:
        value = client.get(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text.strip():
                found.append(text.strip())
    return found
