"""Whose word counts, field by field. Shipped defaults speak of roles, never of vendors; `[owners]` overrides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

# Sums, payment, shipment, stock, price and legal requisites belong to accounting; the deal's course to the CRM.
DEFAULTS: dict[str, str] = {
    "product.name": "accounting",
    "product.full_name": "accounting",
    "product.unit": "accounting",
    "product.unit_code": "accounting",
    "product.vat_rate": "accounting",
    "product.barcodes": "accounting",
    "product.images": "accounting",
    "product.sku": "accounting",
    "product.kind": "accounting",
    "product.group": "accounting",
    "product.description": "shop",  # a shop's own texts must not be overwritten
    "product.active": "accounting",
    "product.variant_of": "accounting",
    "product.price": "accounting",
    "product.stock": "accounting",
    "deal.paid": "accounting",
    "deal.shipped": "accounting",
    "deal.cancelled": "accounting",
    "deal.stage": "crm",
    "deal.title": "crm",
    "deal.responsible": "crm",  # who works on it is handed out where they work
    "lead.responsible": "crm",
    "deal.amount": "accounting",
    "deal.tax": "accounting",
    "deal.lines": "accounting",
    "company.inn": "accounting",
    "company.kpp": "accounting",
    "company.ogrn": "accounting",
    "company.legal_name": "accounting",
    "company.name": "crm",  # how people call a client; by what name the law knows it, accounting says
    "contact.name": "crm",
    "company.phones": "union",
    "company.emails": "union",
    "contact.phones": "union",
    "contact.emails": "union",
    "contact.tags": "union",
    "company.tags": "union",
}
# What both sides changed at once, where no owner has a say
MERGES: dict[str, str] = {"deal.stage": "join"}
# Facts: nobody but the owner can know them, so nobody else is heard, a person neither
FACTS: frozenset[str] = frozenset({"deal.paid", "deal.shipped"})


@dataclass(frozen=True, slots=True)
class Policy:
    """`owner`: a role, "connection:NAME" or "hub" ("" for none). `merge`: manual, join, union or prefer:ROLE.

    `only`: without the owner's word nothing changes.
    """

    owner: str = ""
    merge: str = "manual"
    only: bool = False


def policy_for(kind: str, field: str, owners: Mapping[str, str]) -> Policy:
    """The effective policy of a field: the configuration's `[owners]`, else the shipped default, else `manual`."""
    key = f"{kind}.{field}"
    return _policy(key, owners.get(key, DEFAULTS.get(key, "")))


@lru_cache(1024)
def _policy(key: str, said: str) -> Policy:
    if said in ("manual", "union", "join") or said.startswith("prefer:"):
        return Policy("", said)
    return Policy(said, MERGES.get(key, "manual"), key in FACTS)
