"""A trained run judged again: on one of its splits, or on other data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from dlx.data.encode_new import prepare_new_data
from dlx.data.prepare import Prepared, prepare_for
from dlx.engine.build.experiment import batches_of, used_rows
from dlx.engine.data.batches import Batches
from dlx.engine.data.verify import are_planned, changed_since
from dlx.engine.inference.feature_extractor import attach
from dlx.engine.inference.files import check_data
from dlx.engine.inference.restore import restore
from dlx.engine.training.progress import watch
from dlx.engine.training.trainer import quieted, trainer_for
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.recipe.schema.claims import holds

Part = Literal["test", "val", "train"]


@dataclass(frozen=True)
class Evaluation:
    """A run's metrics on some samples; `claims` says for each of the recipe's claims on them whether it held."""

    checkpoint: Path
    split: str
    data: str | None
    samples: int
    metrics: dict[str, float]
    claims: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self), "checkpoint": str(self.checkpoint)}


def evaluate(run: str | Path, split: Part = "test", data: str | Path | None = None) -> Evaluation:
    """Measure a run on a split of its data, or on all samples of other data.

    Raises: UsageError if the split has no samples or the run is not there; CheckpointError; DataError.
    """
    restored = restore(run)
    attach(restored.module, restored.plan)
    plan, notes = restored.plan, list(restored.notes)
    if data is not None:
        plan, prepared = _other_data(plan, data)
        batches = batches_of(plan, prepared)["test"]
    else:
        prepared = own_data(plan, restored.checkpoint, notes)
        batches = _split(plan, prepared, split)
    watch(restored.module, Console(stderr=True))
    with quieted():
        found = dict(trainer_for(plan).test(restored.module, batches, verbose=False)[0])
    metrics = {f"{split}/{name.partition('/')[2]}": float(value) for name, value in found.items()}
    known = {m: holds(claim, metrics[m]) for m, claim in plan.recipe.expect.items() if m in metrics and data is None}
    shown = None if data is None else str(data)
    return Evaluation(
        restored.checkpoint, split, shown, len(batches.rows), metrics, known, notes + list(prepared.problems)
    )


def own_data(plan: Plan, checkpoint: Path, notes: list[str]) -> Prepared:
    """Return the data of training; where they changed, encoded as they were then."""
    recipe, prepared = plan.recipe, prepare_for(plan.recipe, plan.base)
    if are_planned(prepared, plan):
        return prepared
    which = changed_since(plan, checkpoint)
    notes.append(f"the data changed since training ({which}); these metrics are not those of the run")
    again = prepare_new_data(recipe.data, plan.base, recipe.task.target_kind, plan.facts)
    return replace(again, rows=prepared.rows)


def _other_data(plan: Plan, data: str | Path) -> tuple[Plan, Prepared]:
    recipe = plan.recipe
    path = Path(data)
    check_data(path)
    section = recipe.data.evolve("source", recipe.data.source.with_path(path))
    prepared = prepare_new_data(section, plan.base, recipe.task.target_kind, plan.facts)
    return plan.evolve_all({"recipe.train.limit_test_samples": None, "recipe.data": section}), prepared


def _split(plan: Plan, prepared: Prepared, split: Part) -> Batches:
    """Return the batches of a split as they are evaluated: in order, without augmentation."""
    if not len(prepared.rows[split]):
        raise UsageError(f"the run's data have no {split} split; its samples are in train")
    rows = {**prepared.rows, "test": used_rows(plan, prepared, split)}
    return batches_of(plan.evolve("recipe.train.limit_test_samples", None), replace(prepared, rows=rows))["test"]
