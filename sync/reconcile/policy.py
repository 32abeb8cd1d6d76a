"""Whose word counts, field by field. Shipped defaults speak of roles, never of vendors; `[owners]` overrides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Sums, payment, shipment, stock, price and legal requisites belong to accounting; the deal's course to the CRM.
DEFAULTS: dict[str, str] = {
    "product.name": "accounting",
    "product.full_name": "accounting",
    "product.unit": "accounting",
    "product.unit_code": "accounting",
    "product.vat_rate": "accounting",
    "product.barcodes": "accounting",
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
    "deal.amount": "accounting",
    "deal.tax": "accounting",
    "deal.lines": "accounting",
    "company.inn": "accounting",
    "company.kpp": "accounting",
    "company.ogrn": "accounting",
    "company.legal_name": "accounting",
    "company.phones": "union",
    "company.emails": "union",
    "contact.phones": "union",
    "contact.emails": "union",
    "contact.tags": "union",
    "company.tags": "union",
}
# What both sides changed at once, where no owner has a say
MERGES: dict[str, str] = {"deal.stage": "join"}


@dataclass(frozen=True, slots=True)
class Policy:
    """`owner`: a role, "connection:NAME" or "hub" ("" for none). `merge`: manual, join, union or prefer:ROLE."""

    owner: str = ""
    merge: str = "manual"


def policy_for(kind: str, field: str, owners: Mapping[str, str]) -> Policy:
    """The effective policy of a field: the configuration's `[owners]`, else the shipped default, else `manual`."""
    key = f"{kind}.{field}"
    said = owners.get(key, DEFAULTS.get(key, ""))
    merge = MERGES.get(key, "manual")
    if said in ("manual", "union", "join") or said.startswith("prefer:"):
        return Policy("", said)
    return Policy(said, merge)
