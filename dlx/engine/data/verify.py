"""The data of a plan, read again, and what is said when they are no longer those it was made for."""

from __future__ import annotations

from pathlib import Path

from dlx.data.prepare import Prepared, prepare_for
from dlx.errors import DataError
from dlx.plan import Plan


def data_of(plan: Plan) -> Prepared:
    """Read the data. Raises: DataError if they are not what was planned for."""
    prepared = prepare_for(plan.recipe, plan.base)
    if not are_planned(prepared, plan):
        raise DataError("the data changed while they were planned for; run again")
    return prepared


def are_planned(prepared: Prepared, plan: Plan) -> bool:
    """Say whether data are, to the last byte, those that the plan was made for."""
    return bool(prepared.facts.fingerprint == plan.facts.fingerprint)


def changed_since(plan: Plan, checkpoint: Path) -> str:
    """Name the data files that are newer than a checkpoint, or all of them if none is; three at most."""
    files = [f for f in plan.recipe.data.source.files(plan.base) if f.exists()]
    newer = [f for f in files if f.stat().st_mtime > checkpoint.stat().st_mtime] or files
    return ", ".join(map(str, newer[:3])) or plan.recipe.data.source.type
