"""Evaluation: the metrics of a trained run on one of its splits, or on other data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlx.console import new_console
from dlx.data.encode_new import prepare_new_data
from dlx.data.prepare import Prepared, prepare_for
from dlx.engine.build.experiment import build_batches, build_test_batches, select_rows
from dlx.engine.data.batches import Batches
from dlx.engine.data.verify import matches_plan, newer_files
from dlx.engine.export.evaluate import evaluate_artifact
from dlx.engine.inference.artifact import is_artifact
from dlx.engine.inference.evaluation import Evaluation, SplitName
from dlx.engine.inference.feature_extractor import attach
from dlx.engine.inference.files import check_data
from dlx.engine.inference.restore import restore
from dlx.engine.training.progress import attach_progress
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.recipe.schema.claims import holds


def evaluate(run: str | Path, split: SplitName = "test", data: str | Path | None = None) -> Evaluation:
    """Measure a run on a split of its data, or on all samples of other data.

    Raises: UsageError if the split has no samples or the run is not there; CheckpointError; DataError.
    """
    if is_artifact(Path(run)):
        return evaluate_artifact(Path(run), split, data)
    restored = restore(run)
    attach(restored.module, restored.plan)
    plan, notes = restored.plan, list(restored.notes)
    if data is not None:
        plan, prepared = _read_other_data(plan, data)
        batches = build_batches(plan, prepared)["test"]
    else:
        prepared = read_own_data(plan, restored.checkpoint, notes)
        batches = _split_batches(plan, prepared, split)
    attach_progress(restored.module, new_console(error=True))
    with silence_lightning():
        found = dict(build_trainer(plan).test(restored.module, batches, verbose=False)[0])
    metrics = {f"{split}/{name.partition('/')[2]}": float(value) for name, value in found.items()}
    claims = plan.recipe.expect.items() if data is None else ()
    known = {m: holds(claim.bound, metrics[m]) for m, claim in claims if m in metrics}
    shown = None if data is None else str(data)
    return Evaluation(
        restored.checkpoint, split, shown, len(batches.rows), metrics, known, notes + list(prepared.problems)
    )


def read_own_data(plan: Plan, checkpoint: Path, notes: list[str]) -> Prepared:
    """Return the data of training; where they changed, encoded with the statistics and vocabularies of then."""
    recipe, prepared = plan.recipe, prepare_for(plan.recipe, plan.base)
    if matches_plan(prepared, plan):
        return prepared
    which = newer_files(plan, checkpoint)
    notes.append(f"the data changed since training ({which}); these metrics are not those of the run")
    again = prepare_new_data(recipe.data, plan.base, recipe.task.target_kind, plan.facts)
    return replace(again, rows=prepared.rows)


def _read_other_data(plan: Plan, data: str | Path) -> tuple[Plan, Prepared]:
    recipe = plan.recipe
    path = Path(data)
    check_data(path)
    section = recipe.data.evolve("source", recipe.data.source.with_path(path))
    prepared = prepare_new_data(section, plan.base, recipe.task.target_kind, plan.facts)
    return plan.evolve_all({"recipe.train.limit_test_samples": None, "recipe.data": section}), prepared


def _split_batches(plan: Plan, prepared: Prepared, split: SplitName) -> Batches:
    """Return the batches of a split for evaluation: in order, without augmentation."""
    if not len(prepared.rows[split]):
        raise UsageError(f"the run's data have no {split} split; its samples are in train")
    rows = {**prepared.rows, "test": select_rows(plan, prepared, split)}
    return build_test_batches(plan, replace(prepared, rows=rows))
