"""Records of several systems as cards that can be compared: columns by the kinds of a schema, canonical forms, one reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.errors import BadConfig, Text
from sync.identity import companies, mailbox, names
from sync.identity.evidence import MANY
from sync.identity.first_names import FIRST_NAMES
from sync.model import keys

KINDS = (
    "id", "source", "kind", "name", "first_name", "last_name", "company_name", "inn", "ogrn", "phone", "email", "city",
    "date", "postcode", "address", "exact_id", "text",
)  # fmt: skip
# The columns of the hub's own export, so that no schema is needed for it
DEFAULT_SCHEMA = {
    "id": "id", "source": "source", "kind": "kind", "name": "name", "inn": "inn", "phone": "phone", "email": "email",
    "company_name": "company_name", "city": "city",
}  # fmt: skip


@dataclass(slots=True)
class Card:
    """One record. `facts`: the values of kinds that have no rule of their own, canonical."""

    id: str
    kind: str  # company, person
    source: str = ""
    name: names.Name = names.NO_NAME
    company: companies.Company = companies.NO_COMPANY  # itself, or the employer of a person
    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    inn: str = ""
    ogrn: str = ""
    city: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def check_schema(schema: Mapping[str, str], columns: Iterable[str]) -> None:
    """BadConfig when a schema names an unknown kind, or no column of the file."""
    for column, kind in schema.items():
        if kind not in KINDS:
            raise BadConfig(
                Text(
                    f"The schema gives the column {column} the kind {kind!r}; known kinds: {', '.join(KINDS)}.",
                    f"В схеме у столбца {column} вид {kind!r}; известные виды: {', '.join(KINDS)}.",
                ),
                code="identity.schema",
                setting="--schema",
            )
    if not set(schema) & set(columns):
        raise BadConfig(
            Text(
                f"No column of the schema is in the file; the file has: {', '.join(columns)}.",
                f"Ни одного столбца схемы нет в файле; в файле есть: {', '.join(columns)}.",
            ),
            code="identity.schema",
            setting="--schema",
        )


def read(row: Mapping[str, str], schema: Mapping[str, str], number: int, country: str = "RU") -> Card:
    """A row as a card. A value that is no valid key is kept as a fact of its text and identifies nobody by itself."""
    values: dict[str, list[str]] = {}
    for column, kind in schema.items():
        if text := (row.get(column) or "").strip():
            values.setdefault(kind, []).append(text)

    def one(kind: str) -> str:
        return " ".join(values.get(kind, ()))

    person_name = " ".join(filter(None, (one("first_name"), one("last_name"))))
    kind = one("kind").lower() or ("person" if person_name or not one("company_name") else "company")
    kind = "company" if _is_company(kind) else "person"
    card = Card(one("id") or str(number), kind, one("source"))
    if kind == "company":
        card.company = companies.parse(one("company_name") or one("name"))
    else:
        card.name = _person(values, one("name"), person_name)
        card.company = companies.parse(one("company_name"))
    phones = [n.split(";")[0] for text in values.get("phone", ()) for n in keys.phones(text, country)]
    if len(phones) > MANY:
        phones = []  # somebody's list of contacts, not his own numbers
    boxes = [
        box for text in values.get("email", ()) for part in re.split(r"[;,\s]+", text) if (box := mailbox.read(part))
    ]
    card.phones = frozenset(phones)
    card.emails = frozenset(b.value for b in boxes if b.kind == "person" or (b.kind == "role" and kind == "company"))
    card.inn = keys.inn(one("inn")) or ""
    card.ogrn = keys.ogrn(one("ogrn")) or ""
    card.city = "".join(keys.skeleton(w) for w in re.findall(r"\w+", one("city").lower()))
    for fact in ("date", "postcode", "address", "exact_id", "text"):
        if one(fact):
            card.facts[fact] = _date(one(fact)) if fact == "date" else _plain(one(fact))
    if not card.phones and one("phone"):
        digits = re.sub(r"\D", "", one("phone"))
        if len(digits) >= 6 and len(set(digits)) > 2:
            card.facts["phone"] = digits[-10:]  # of another country, or without its code
    return card


def _person(values: Mapping[str, list[str]], whole: str, parts: str) -> names.Name:
    if whole or not parts:
        return names.parse(whole)
    first = "".join(keys.skeleton(w) for w in re.findall(r"[^\W\d_]+", " ".join(values.get("first_name", ())).lower()))
    last = "".join(keys.skeleton(w) for w in re.findall(r"[^\W\d_]+", " ".join(values.get("last_name", ())).lower()))
    known = FIRST_NAMES.get(first, frozenset({first} if first else ()))
    return names.Name(parts, known, first, last, words=tuple(w for w in (first, last) if w))


def _is_company(kind: str) -> bool:
    word = "".join(re.findall(r"[^\W\d_]+", kind))
    return word.startswith(("юр", "compan", "organi", "орган", "компан", "legal", "firm", "фирм", "предпр"))


def _date(text: str) -> str:
    """A day as year, month, day, whatever the order it was written in; anything else as it is."""
    found = re.fullmatch(r"(\d{1,4})[-./ ](\d{1,2})[-./ ](\d{1,4})(?:[T ].*)?", text.strip())
    if found is None:
        return _plain(text)
    first, middle, last = (int(n) for n in found.groups())
    year, month, day = (first, middle, last) if len(found[1]) == 4 else (last, middle, first)
    if month > 12 >= day:  # 12/31/1980, as Americans write
        month, day = day, month
    return f"{year:04d}{month:02d}{day:02d}"


def id_column(schema: Mapping[str, str], columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """The column with the records' ids: that of the schema, one that is called so, or one outside it that is unique; or ""."""
    named = [c for c in columns if c.lower() in ("id", "unique_id", "record_id", "rec_id", "uid")]
    for column in [*(c for c, kind in schema.items() if kind == "id" and c in columns), *named]:
        return column
    for column in columns:
        if column not in schema and len({row[column] for row in rows}) == len(rows):
            return column
    return ""


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
