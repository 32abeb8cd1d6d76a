"""Filling the index: raw client records of a base into profiles and keys, sorted where it matters for speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sync.identity import mailbox
from sync.identity.index import Index, Job, Profile
from sync.model import keys

_CHUNK = 5_000  # records whose rows are in memory at once


def profile_of(row: Mapping[str, Any], country: str = "RU") -> Profile:
    """A raw client record as a profile; values that are no valid key stay in the record only."""
    kind = "company" if row.get("kind") == "company" else "person"
    name = row.get("name")
    profile = Profile(str(row["id"]), kind, [str(name)[:250]] if name else [])
    for raw in _texts(row.get("phones")):
        profile.phones += [n for form in keys.phones(raw, country) if (n := form.split(";")[0]) not in profile.phones]
    del profile.phones[12:]
    for raw in _texts(row.get("emails")):
        box = mailbox.read(raw)
        if box is not None and box.kind in ("person", "role") and box.value not in profile.emails:
            profile.emails.append(box.value)
            if kind == "company" and box.domain and box.domain not in profile.domains:
                profile.domains.append(box.domain)
    if kind == "company":
        profile.inn = keys.inn(str(row.get("inn") or "")) or ""
        profile.ogrn = keys.ogrn(str(row.get("ogrn") or "")) or ""
        profile.kpp = keys.kpp(str(row.get("kpp") or "")) or ""
        if (site := mailbox.site_domain(str(row.get("site") or ""))) and site not in profile.domains:
            profile.domains.append(site)
    return profile


def _texts(value: Any) -> list[str]:
    """A list of texts, a single text, or nothing; of a list of forty numbers only the first dozen."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [str(v) for v in values[:12] if v]


def load(index: Index, base: Iterable[Mapping[str, Any]], country: str = "RU") -> int:
    """All records of a base into an empty index; how many. Keys go in sorted, through a table without an index."""
    index.stage()
    rows = iter(base)
    count = 0
    while chunk := list(islice(rows, _CHUNK)):
        count += len(chunk)
        profiles = {}
        for row in chunk:
            profile = profile_of(row, country)
            profiles[profile.uid] = (profile, [str(c) for c in _texts(row.get("companies"))])
        index.add([p for p, _ in profiles.values()])
        index.employ_all(Job(p.uid, company) for p, employers in profiles.values() for company in employers)
        index.add_staff_domains(_staff_domains(profiles.values()))
    index.settle()
    return count


def _staff_domains(found: Iterable[tuple[Profile, list[str]]]) -> Iterator[tuple[str, str]]:
    """(company, domain) of people who work at one company and have an address that names a company."""
    for profile, employers in found:
        if len(employers) == 1 and profile.kind == "person":
            for email in profile.emails:
                box = mailbox.read(email)
                if box is not None and box.domain:
                    yield employers[0], box.domain
