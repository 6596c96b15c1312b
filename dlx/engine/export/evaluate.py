"""Evaluation of an exported graph: ONNX Runtime predicts, and the task's own metrics measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dlx.plan
from dlx.data.encode_new import prepare_new_data
from dlx.data.prepare import Prepared, prepare_for
from dlx.engine.build.experiment import build_module, build_test_batches
from dlx.engine.data.verify import matches_plan
from dlx.engine.export.function import HARDWARE
from dlx.engine.export.inputs import plan_inputs
from dlx.engine.export.proof import artifact_predictions, evaluate_predictions
from dlx.engine.inference.artifact import LoadedArtifact, load_artifact
from dlx.engine.inference.evaluation import Evaluation, SplitName
from dlx.engine.inference.files import check_data
from dlx.errors import UsageError
from dlx.nn.protocols import EvaluatesPredictions
from dlx.plan import Plan
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.claims import holds


def evaluate_artifact(path: Path, split: SplitName = "test", data: str | Path | None = None) -> Evaluation:
    """Measure a graph on a split of its run's data, or on all samples of other data.

    Raises: UsageError if the split has no samples, or the task measures no predictions; CheckpointError; DataError.
    """
    artifact = load_artifact(path)
    plan = _plan(artifact)
    module = build_module(plan)  # of which only the metrics are used
    if not isinstance(module, EvaluatesPredictions):
        raise UsageError(f"the task {plan.recipe.task.type} has no metric of predictions; evaluate the run itself")
    notes: list[str] = []
    prepared = prepare_for(plan.recipe, plan.base) if data is None else _other_data(plan, Path(data))
    if data is None and not matches_plan(prepared, plan):
        notes.append("the data changed since training; these metrics are not those of the run")
    rows = prepared.rows[split] if data is None else prepared.rows["test"]
    if not len(rows):
        raise UsageError(f"the run's data have no {split} split; its samples are in train")
    batches = replace(build_test_batches(plan, replace(prepared, rows={**prepared.rows, "test": rows})), transforms=[])
    found = artifact_predictions(artifact.runtime, batches, plan_inputs(plan))
    _, values = evaluate_predictions(found, module, batches)
    metrics = {f"{split}/{name}": value for name, value in values.items()}
    known = {
        m: holds(claim.bound, metrics[m]) for m, claim in plan.recipe.expect.items() if m in metrics and data is None
    }
    shown = None if data is None else str(data)
    return Evaluation(path, split, shown, len(rows), metrics, known, notes + list(prepared.problems))


def _plan(artifact: LoadedArtifact) -> Plan:
    recipe = artifact.recipe.evolve_all({"hardware": artifact.recipe.hardware.evolve_all(HARDWARE), "init_from": None})
    base = Path(str(artifact.metadata.get("base", ".")))
    return dlx.plan.make(LoadedRecipe(recipe, base), facts=artifact.facts)


def _other_data(plan: Plan, path: Path) -> Prepared:
    check_data(path)
    recipe = plan.recipe
    section = recipe.data.evolve("source", recipe.data.source.with_path(path))
    return prepare_new_data(section, plan.base, recipe.task.target_kind, plan.facts)
