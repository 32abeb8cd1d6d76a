"""Observations: every identifier of a card, as each record of each source showed it, first and last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.identity import companies, mailbox
from sync.identity.evidence import Evidence
from sync.identity.index import Profile
from sync.model import keys
from sync.store.inserts import insert_into
from sync.store.tables import observation


def store(
    tx: Connection,
    card: str,
    profile: Profile,
    found: Evidence,
    source: tuple[str, str],
    at: datetime,
    said: Mapping[str, Any],
    country: str,
) -> None:
    """What an event showed of the client with this profile, on this card of his; seen again it is only later. `source`:
    connection and record there."""
    raws = _raws(said, country)
    rows = {
        (kind, value): {
            "kind": kind,
            "value": value,
            "raw": (raw or raws.get((kind, value)) or value).replace("\x00", ""),
            "client_uid": card,
            "source": source[0],
            "record": source[1],
            "first_seen": at,
            "last_seen": at,
        }
        for kind, value, raw in _shown(profile, found)
    }
    for row in rows.values():
        statement = insert_into(observation, tx.dialect.name).values(**row)
        new = statement.excluded
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "value", "client_uid", "source", "record"],
                set_={
                    "last_seen": sa.case(
                        (new.last_seen > observation.c.last_seen, new.last_seen), else_=observation.c.last_seen
                    ),
                    "first_seen": sa.case(
                        (new.first_seen < observation.c.first_seen, new.first_seen), else_=observation.c.first_seen
                    ),
                },
            )
        )


def _shown(profile: Profile, found: Evidence) -> Iterator[tuple[str, str, str]]:
    """(kind, canonical value, raw or nothing) of what belongs to this card: the index knows what is whose."""
    for phone in found.phones:
        if phone in profile.phones:
            yield "phone", phone, ""
    for box in found.mailboxes:
        if box.value in profile.emails:
            yield "email", box.value, ""
    if profile.kind == "person":
        if found.name:
            yield "name", " ".join(found.name.words), found.name.raw
        return
    for box in found.mailboxes:
        if box.domain and box.domain in profile.domains:
            yield "domain", box.domain, box.domain
    for kind, value, shown in (
        ("inn", profile.inn, found.inns),
        ("ogrn", profile.ogrn, found.ogrns),
        ("kpp", profile.kpp, [found.kpp]),
    ):
        if value and value in shown:
            yield kind, value, ""
    for company in found.companies[:1]:
        if profile.named(company) == "same":
            yield "company", company.key, company.raw


def _raws(said: Mapping[str, Any], country: str) -> dict[tuple[str, str], str]:
    """Canonical identifiers and the text that each was read from."""
    found: dict[tuple[str, str], str] = {}
    for name in ("phone", "from_number"):
        for raw in _texts(said.get(name)):
            for form in keys.phones(raw, country):
                found.setdefault(("phone", form.split(";")[0]), raw)
    for name in ("email", "from_addr"):
        for raw in _texts(said.get(name)):
            if (box := mailbox.read(raw)) is not None:
                found.setdefault(("email", box.value), raw)
    for raw in _texts(said.get("inn")):
        if (form_ := keys.inn(raw)) is not None:
            found["inn", form_] = raw
    return found


def _texts(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def with_card(profile: Profile, found: Evidence) -> Profile:
    """A profile with what its own card in some system says: all of it is this client's."""
    fresh = Profile(
        profile.uid,
        profile.kind,
        list(profile.names),
        list(profile.phones),
        list(profile.emails),
        list(profile.domains),
        profile.inn,
        profile.ogrn,
        profile.kpp,
        profile.held,
        profile.agent,
    )
    fresh.phones += [p for p in found.phones if p not in fresh.phones]
    fresh.emails += [m.value for m in found.mailboxes if m.kind in ("person", "role") and m.value not in fresh.emails]
    if profile.kind == "person":
        known = [set(n.words) for n in profile.as_person]
        if found.name and not any(set(found.name.words) <= words for words in known):
            fresh.names.append(found.name.raw)
        return fresh
    fresh.domains += [d for m in found.mailboxes if (d := m.domain) and d not in fresh.domains]
    fresh.inn = fresh.inn or next(iter(found.inns), "")
    fresh.ogrn = fresh.ogrn or next(iter(found.ogrns), "")
    fresh.kpp = fresh.kpp or found.kpp
    for company in found.companies[:1]:
        if all(companies.compare(company, own) != "same" for own in profile.as_company):
            fresh.names.append(company.raw)
    return fresh
