"""Whose word counts: shipped defaults by role, overridden by the configuration."""

from __future__ import annotations

import pytest

from sync.config import ROLES
from sync.model.records import KINDS
from sync.reconcile.policy import DEFAULTS, FACTS, MERGES, Policy, policy_for


@pytest.mark.parametrize(
    ("key", "said", "policy"),
    [
        ("deal.stage", {}, Policy("crm", "join")),
        ("deal.comment", {}, Policy("", "manual")),
        ("contact.phones", {}, Policy("", "union")),
        ("product.price", {}, Policy("accounting", "manual")),
        ("deal.stage", {"deal.stage": "hub"}, Policy("hub", "join")),
        ("deal.stage", {"deal.stage": "manual"}, Policy("", "manual")),
        ("deal.stage", {"deal.stage": "connection:crm2"}, Policy("connection:crm2", "join")),
        ("deal.comment", {"deal.comment": "prefer:shop"}, Policy("", "prefer:shop")),
        ("deal.amount", {"deal.amount": "join"}, Policy("", "join")),
        ("deal.title", {"deal.amount": "shop"}, Policy("crm", "manual")),
        ("deal.paid", {}, Policy("accounting", "manual", only=True)),
        ("deal.shipped", {"deal.shipped": "crm"}, Policy("crm", "manual", only=True)),
        ("deal.paid", {"deal.paid": "manual"}, Policy("", "manual")),
    ],
)
def test_the_effective_policy(key: str, said: dict[str, str], policy: Policy) -> None:
    kind, field = key.split(".")
    assert policy_for(kind, field, said) == policy


def test_shipped_defaults_name_real_fields_and_roles_only() -> None:
    for key, who in {**DEFAULTS, **MERGES}.items():
        kind, field = key.split(".")
        assert field in KINDS[kind].model_fields, key
        assert who.removeprefix("prefer:") in (*ROLES, "union", "join"), key


def test_a_fact_has_an_owner() -> None:
    assert {DEFAULTS[key] for key in FACTS} == {"accounting"}
