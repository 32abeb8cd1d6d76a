"""Web forms and orders: fields that somebody filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sync.identity import companies, names
from sync.identity.evidence.gather import (
    ADDRESS,
    READ,
    add_company,
    add_inn,
    add_mailboxes,
    add_numbers,
    add_phones,
    phones_in,
    text_of,
    texts_of,
)
from sync.identity.evidence.sender import Evidence, Own
from sync.identity.lexicon import MARKETPLACES
from sync.model import keys


def read_form(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    """Web forms and orders: the buyer's fields; the recipient of a gift is nobody's evidence."""
    found.third_party = _marketplace(text_of(event, "shop"))
    _fields(found, event, own)
    comment = text_of(event, "comment")
    if comment:
        found.text = comment[:READ]
        add_numbers(found, comment)
        if not (found.phones or found.mailboxes or found.third_party):  # «перезвоните на …» instead of the field
            found.phones += phones_in(comment, own.country)
            add_mailboxes(found, ADDRESS.findall(comment)[:2])
    if not found.name and "first_name" in event:
        found.name = names.parse(f"{text_of(event, 'first_name')} {text_of(event, 'last_name')}")
    if found.third_party:
        found.mailboxes = [m for m in found.mailboxes if m.kind != "relay"]


@lru_cache(maxsize=1_000)
def _marketplace(shop: str) -> bool:
    shop = shop.lower().replace(" ", "_").replace("-", "_")
    return any(shop == place or shop.startswith(place + "_") or place in shop.split(".") for place in MARKETPLACES)


def _fields(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    add_phones(found, "phone", texts_of(event, "phone", "phones"), own.country)
    add_mailboxes(found, texts_of(event, "email", "emails"))
    for raw in texts_of(event, "inn"):
        add_inn(found, raw)
    for raw in texts_of(event, "ogrn"):
        if form := keys.ogrn(raw):
            found.ogrns.append(form)
    found.kpp = keys.kpp(text_of(event, "kpp")) or found.kpp
    found.name = names.parse(text_of(event, "name"))
    for raw in texts_of(event, "company"):
        if not oneself(found.name, raw):
            add_company(found, raw)


def oneself(name: names.Name, raw: str) -> bool:
    """A person who fills in the company's field with the own name works for nobody."""
    company = companies.parse(raw)
    return name.full and not company.form and set(company.words) == set(name.words)
