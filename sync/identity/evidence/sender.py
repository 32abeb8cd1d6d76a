"""What an event says of its sender, and what is known beforehand of the firm's own side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.identity import companies, names
from sync.identity.mailbox import Mailbox
from sync.model import keys


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
