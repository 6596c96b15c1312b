"""The plan: what a recipe will build and cost, without torch: shapes, parameters, multiply-adds, memory, problems."""

from dlx.plan.plan import Plan, facts_of, make, plan_stages, refuse_training, transform_facts

__all__ = ["Plan", "facts_of", "make", "plan_stages", "refuse_training", "transform_facts"]
