"""Data verification: whether data are still those for which a plan was made, by their fingerprint."""

from __future__ import annotations

from pathlib import Path

from dlx.data.prepare import Prepared, prepare_for
from dlx.errors import DataError
from dlx.plan import Plan


def read_planned_data(plan: Plan) -> Prepared:
    """Read and encode the data of a plan. Raises: DataError if they are not those for which it was made."""
    prepared = prepare_for(plan.recipe, plan.base)
    if not matches_plan(prepared, plan):
        raise DataError("the data changed while they were planned for; run again")
    return prepared


def matches_plan(prepared: Prepared, plan: Plan) -> bool:
    """Return whether data are, to the last byte, those for which a plan was made."""
    return bool(prepared.facts.fingerprint == plan.facts.fingerprint)


def newer_files(plan: Plan, checkpoint: Path) -> str:
    """Return the names of data files that are newer than a checkpoint, or of all if none is; three at most."""
    files = [f for f in plan.recipe.data.source.files(plan.base) if f.exists()]
    newer = [f for f in files if f.stat().st_mtime > checkpoint.stat().st_mtime] or files
    return ", ".join(map(str, newer[:3])) or plan.recipe.data.source.type
