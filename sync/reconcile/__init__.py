"""The pure decision: what all sides of one record say, what was agreed, whose word counts → what is to be written where."""

from sync.reconcile.decide import decide
from sync.reconcile.policy import Policy, policy_for
from sync.reconcile.sides import INEXPRESSIBLE, STATE, Conflict, Plan, Side
from sync.reconcile.stages import Graph

__all__ = ["INEXPRESSIBLE", "STATE", "Conflict", "Graph", "Plan", "Policy", "Side", "decide", "policy_for"]
