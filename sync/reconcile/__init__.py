"""The pure decision: what all sides of one record say, what was agreed, whose word counts → what is to be written where."""

from sync.reconcile.decide import INEXPRESSIBLE, Conflict, Plan, Side, decide
from sync.reconcile.policy import Policy, policy_for
from sync.reconcile.stages import Graph

__all__ = ["INEXPRESSIBLE", "Conflict", "Graph", "Plan", "Policy", "Side", "decide", "policy_for"]
