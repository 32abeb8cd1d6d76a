"""A person's decision about a holding card, in the index: it is that client, it is a new one, or never these two.

The index is computed: a decision that is taken back is undone by writing the cards again as their observations show them.
"""

from __future__ import annotations

from sync.identity.index import Index, Job, Profile


def as_new(index: Index, held: str) -> Profile | None:
    """The holding card is a client of its own: "new", and "never" for each candidate. None when there is no such card."""
    profile = index.profiles([held]).get(held)
    if profile is not None:
        profile.held = False
        index.put(profile)
    return profile


def as_known(index: Index, held: str, client: str, at: str = "") -> Profile | None:
    """The holding card is this client: what led to the card leads to him from now on. None when one of them is missing."""
    found = index.profiles([held, client])
    if held not in found or client not in found or held == client:
        return None
    card, kept = found[held], found[client]
    if card.kind == kept.kind:
        for name in ("names", "phones", "emails"):
            values = getattr(kept, name)
            values += [v for v in getattr(card, name) if v not in values]
        kept.inn, kept.ogrn, kept.kpp = kept.inn or card.inn, kept.ogrn or card.ogrn, kept.kpp or card.kpp
    _move_work(index, held, client, at)
    index.drop(held)
    index.put(kept)
    return kept


def _move_work(index: Index, held: str, client: str, at: str) -> None:
    for person in index.staff(held, 1000):
        for job in index.jobs([person]):
            if job.company == held:
                index.employ(Job(person, held, job.since, job.until or at or "1"))
                if not job.until:
                    index.employ(Job(person, client, job.since, ""))
    for job in index.jobs([held]):
        index.employ(Job(client, job.company, job.since, job.until))
