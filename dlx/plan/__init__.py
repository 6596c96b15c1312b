"""What a recipe will build and cost, without torch: shapes, parameters, multiply-adds, memory, contradictions."""

from dlx.plan.plan import WORKERS, Plan, each, facts_of, make, transformed

__all__ = ["WORKERS", "Plan", "each", "facts_of", "make", "transformed"]
