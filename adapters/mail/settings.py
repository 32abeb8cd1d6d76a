"""The settings of one mailbox, and who in a letter is "us"."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from adapters.base import AdapterSettings
from adapters.mail.headers import Address, normal_address

Tls = Literal["tls", "starttls", "none"]

# Everybody's domains: one of them as "own" would make every client there a colleague.
_PUBLIC = """mail.ru inbox.ru list.ru bk.ru internet.ru xmail.ru vk.com ya.ru yandex.ru yandex.com yandex.by yandex.kz
yandex.ua narod.ru rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru gmail.com googlemail.com outlook.com
hotmail.com live.com msn.com yahoo.com icloud.com me.com mac.com aol.com gmx.de gmx.com proton.me protonmail.com
mail.com ukr.net i.ua tut.by mail.kz qip.ru km.ru e1.ru"""
PUBLIC_DOMAINS = frozenset(_PUBLIC.split())
_ROBOTS = """noreply no-reply no_reply donotreply do-not-reply robot bot mailer form forms site website wordpress webmaster
www www-data apache notification notifications notify zayavka order-form"""
ROBOTS = frozenset(_ROBOTS.split())


class Settings(AdapterSettings):
    imap_host: str
    imap_port: int = Field(default=993, ge=1, le=65535)
    imap_tls: Tls = "tls"
    login: str
    password: SecretStr
    smtp_host: str = ""  # empty: letters are only read
    smtp_port: int = Field(default=465, ge=1, le=65535)
    smtp_tls: Tls = "tls"
    smtp_login: str = ""  # empty: as for IMAP; "-" sends without a login (a relay of the office network)
    smtp_password: SecretStr | None = None
    sender: str = ""  # the From address; empty: the login
    sender_name: str = ""
    folders: list[str] = Field(default=["INBOX", "\\Sent"], min_length=1)
    own_addresses: list[str] = Field(default=[])  # staff and shared boxes, whatever their domain
    own_domains: list[str] = Field(default=[])  # every address there is staff
    days: int = Field(default=30, ge=1, le=36500)  # the first scan looks this far back
    max_size: int = Field(default=25_000_000, ge=1_000)  # bytes; of a bigger letter only the header is kept
    ignore: list[str] = Field(default=[])  # addresses and domains of which nothing at all is stored
    timeout: int = Field(default=60, ge=1, le=600)  # seconds that one answer of the server may take
    ca_file: str = ""  # certificates to trust besides the system's (an office server's own)

    @field_validator("own_domains", "ignore")
    @classmethod
    def _lower(cls, values: list[str]) -> list[str]:
        return [normal_address(value.lstrip("@")) if "@" in value[1:] else domain_of(value) for value in values]

    @field_validator("own_addresses")
    @classmethod
    def _addresses(cls, values: list[str]) -> list[str]:
        for value in values:
            if "@" not in value:
                raise ValueError(f"{value!r} is not an address; a whole domain belongs into own_domains")
        return [normal_address(value) for value in values]

    @field_validator("own_domains")
    @classmethod
    def _no_public(cls, values: list[str]) -> list[str]:
        for value in values:
            if value in PUBLIC_DOMAINS:
                raise ValueError(f"{value} is a public mail service: clients have it too; list own_addresses instead")
        return values

    @model_validator(mode="after")
    def _has_sender(self) -> Self:
        if self.smtp_host and "@" not in (self.sender or self.login):
            raise ValueError("sender: an address like sales@firma.ru is needed, because the login is not one")
        return self


def domain_of(value: str) -> str:
    """The domain of an address or of "@domain", normalised as addresses are."""
    return normal_address("x@" + value.rpartition("@")[2]).partition("@")[2]


class Own:
    """Which addresses are the firm's own, and which are to be ignored. Works without settings: then nothing is."""

    def __init__(self, settings: Any) -> None:
        given = [getattr(settings, name, "") or "" for name in ("sender", "login", "smtp_login")]
        self.addresses = frozenset(normal_address(value) for value in given if "@" in value) | frozenset(
            getattr(settings, "own_addresses", ())
        )
        self.domains = frozenset(getattr(settings, "own_domains", ()))
        self.ignored = frozenset(getattr(settings, "ignore", ()))

    def is_own(self, address: str) -> bool:
        """Staff or a shared box: by the exact address, by a plus tag of it, or by an own domain (subdomains too)."""
        local, _, domain = address.partition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        return address in self.addresses or plain in self.addresses or _within(domain, self.domains)

    def is_ignored(self, address: str) -> bool:
        return address in self.ignored or _within(address.partition("@")[2], self.ignored)

    def strangers(self, people: list[Address]) -> list[Address]:
        """Those who are neither ours nor a bounce daemon, each once, in order."""
        found = {p["address"]: p for p in reversed(people) if not self.is_own(p["address"]) and not is_daemon(p)}
        order = list(dict.fromkeys(p["address"] for p in people))
        return [found[address] for address in order if address in found]


def is_robot(address: str) -> bool:
    """An address behind which nobody reads (noreply@, wordpress@)."""
    local = address.partition("@")[0].partition("+")[0]
    return local in ROBOTS or local.startswith(("noreply", "no-reply", "donotreply"))


def is_daemon(person: Address) -> bool:
    return person["address"].partition("@")[0] in ("mailer-daemon", "postmaster")


def _within(domain: str, domains: frozenset[str]) -> bool:
    while domain:
        if domain in domains:
            return True
        domain = domain.partition(".")[2]
    return False
