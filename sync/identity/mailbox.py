"""What an e-mail address tells by itself: whether a person's, a desk's or a robot's, and whether its domain names a company."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA

from sync.identity.lexicon import FREE_MAIL, MACHINES, RELAYS, ROBOTS, ROLES
from sync.model import keys

# Providers that people mistype; a domain one slip from one of these is a slip, never a company
_COMMON = ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru", "yandex.ru", "ya.ru", "gmail.com", "rambler.ru",
    "outlook.com", "hotmail.com", "icloud.com", "yahoo.com", "googlemail.com", "yandex.com")  # fmt: skip
# Hosts of everybody's pages: no company's own domain
_PLACES = (
    "vk.com",
    "t.me",
    "ok.ru",
    "instagram.com",
    "facebook.com",
    "avito.ru",
    "ozon.ru",
    "wildberries.ru",
    "wixsite.com",
    "narod.ru",
    "youtube.com",
    "yandex.ru",
    "2gis.ru",
    "taplink.cc",
    "business.site",
    "blogspot.com",
    "livejournal.com",
    "deal.by",
    "pulscen.ru",
    "tiu.ru",
    "prom.ua",
    "satu.kz",
    "nethouse.ru",
    "ucoz.ru",
)
_RELAY = re.compile(r"(?:^|\.)(?:" + "|".join(re.escape(mark) for mark in RELAYS) + r")(?:\.|$)")
_TEST_DOMAINS = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net)|test|invalid|localhost)$")


_LOCAL_WORDS = re.compile(r"[._\-]+")
_EXAMPLE = re.compile(r"(?:.+\.)?example\.[a-z]+")  # reserved for texts and trials (RFC 2606): no company's


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address. `value` is the key under which it is known."""

    value: str
    kind: str  # person, role, robot, relay
    domain: str = ""  # of a company; empty for free mail, slips of it, and relays
    meant: str = ""  # the address that a mistyped provider stands for

    @property
    def local(self) -> str:
        return self.value.partition("@")[0]


@lru_cache(maxsize=20_000)
def read(text: str) -> Mailbox | None:
    """The address in a text, or None. A relay's or robot's address is no key of anybody."""
    value = keys.email(text)
    if value is None:
        return None
    local, _, domain = value.partition("@")
    if _robot(local, domain):
        return Mailbox(value, "robot")
    if _RELAY.search(domain):
        return Mailbox(value, "relay")
    kind = "role" if local in ROLES or re.sub(r"[\d._\-]+", "", local) in ROLES else "person"
    if domain in FREE_MAIL or _EXAMPLE.fullmatch(domain):
        return Mailbox(value, kind)
    if _TEST_DOMAINS.search(domain) and local in ("test", "a", "aaa", "qwe", "asd", "123", "user", "mail"):
        return Mailbox(value, "relay")
    if provider := _slip_of(domain):
        return Mailbox(value, kind, meant=keys.email(f"{local}@{provider}") or "")
    return Mailbox(value, kind, domain)


def _robot(local: str, domain: str) -> bool:
    """A machine's name, alone, with a tag behind it («bounce+123») or as a word among others («drive-shares-noreply»)."""
    bare = local.split("+", 1)[0].split("=", 1)[0]
    if bare in ROBOTS or bare.startswith(
        ("noreply", "no-reply", "no_reply", "no.reply", "donotreply", "mailer-daemon")
    ):
        return True
    if "=" in local and bare in ("prvs", "srs0", "srs1", "btv1", "msprvs1"):
        return True  # the envelope of a forwarding server: the writer's own address does not stand in it
    words = _LOCAL_WORDS.split(bare)
    return (
        domain not in FREE_MAIL
        and len(words) > 1
        and (not MACHINES.isdisjoint(words) or "no-reply" in "-".join(words) or "do-not-reply" in "-".join(words))
    )


@lru_cache(maxsize=20_000)
def _slip_of(domain: str) -> str:
    if domain in FREE_MAIL:
        return ""
    for provider in _COMMON:
        if len(provider) < 6:  # bk.ru, ya.ru: one letter away lie real companies
            continue
        if OSA.distance(domain, provider, score_cutoff=1) <= 1:
            return provider
    head, _, zone = domain.rpartition(".")
    if zone in ("con", "cmo", "rru", "ry", "ri", "ur", "comm", "om", "cm") and (
        whole := next((p for p in _COMMON if p.startswith(head + ".")), "")
    ):
        return whole
    return ""


def site_domain(text: str) -> str:
    """The company's domain in a site's address («https://www.soyuz56.ru/about» → soyuz56.ru); empty when it is nobody's own."""
    host = re.sub(r"^[a-z+]+://", "", text.strip().lower()).split("/")[0].split("?")[0].split(":")[0].rpartition("@")[2]
    host = host.removeprefix("www.")
    if "." not in host or host in FREE_MAIL or any(host == place or host.endswith("." + place) for place in _PLACES):
        return ""
    box = read(f"x@{host}")
    return box.domain if box else ""


def parent_domain(domain: str) -> str:
    """The company's domain over a branch's (spb.kedr.ru → kedr.ru); empty where there is none."""
    head, _, parent = domain.partition(".")
    if not head or "." not in parent or parent in FREE_MAIL or parent in _PLACES:
        return ""
    public = parent.partition(".")[0] in (
        "com",
        "net",
        "org",
        "co",
        "msk",
        "spb",
        "nov",
        "pp",
        "ac",
        "edu",
        "gov",
        "in",
        "biz",
    )
    return "" if public and parent.count(".") == 1 else parent


def one_slip(a: str, b: str) -> bool:
    """Whether one address is the other mistyped (one letter more, less, other, or two swapped)."""
    shortest = min(len(a.partition("@")[0]), len(b.partition("@")[0]))
    return a != b and shortest >= 5 and OSA.distance(a, b, score_cutoff=1) <= 1
