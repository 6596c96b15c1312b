"""Prediction: the targets that a trained run predicts for new inputs: files, folders, arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.data.encode_new import as_test_split
from dlx.data.prepare import Prepared
from dlx.engine.build.experiment import build_test_batches
from dlx.engine.data.batches import Batches
from dlx.engine.inference.evaluate import read_own_data
from dlx.engine.inference.files import input_files
from dlx.engine.inference.predictions import Predictions, pad_outputs
from dlx.engine.inference.read import read_inputs
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.sources import Spans


def predict(run: str | Path, inputs: Sequence[str | Path], keep: Sequence[str] = ()) -> Predictions:
    """Predict the target of every sample in files and folders of the kind that the run was trained on.

    keep  columns of the files that are to stand beside the predictions

    Raises: UsageError if an input is not there; DataError where it does not fit the model; CheckpointError.
    """
    paths = input_files([Path(i) for i in inputs])
    return predict_files(restore(run), paths, keep)


def predict_files(restored: RestoredRun, paths: list[Path], keep: Sequence[str] = ()) -> Predictions:
    """Predict samples in files with a run that is restored already.

    Raises: UsageError if its task has no table of predictions; DataError where they do not fit it.
    """
    _refuse_text(restored)
    found = read_inputs(paths, restored.plan.recipe.data.source, restored.plan.facts, keep)
    values = _run_predict(restored, input_batches(found.arrays, restored.plan))
    columns = _table(values, restored.plan)
    masks = values.argmax(1) if "mask" in columns else None
    notes = [*restored.notes, *found.warnings]
    return Predictions({**found.origin, **columns}, notes, masks, found.sizes, restored.plan.facts.classes)


def predict_split(run: str | Path, split: str, keep: Sequence[str] = ()) -> Predictions:
    """Predict every sample of a split of the run's own data, with the truth beside the prediction.

    Raises: UsageError if the split has no samples; DataError where the data changed; CheckpointError.
    """
    restored = restore(run)
    _refuse_text(restored)
    plan, notes = restored.plan, list(restored.notes)
    prepared = read_own_data(plan, restored.checkpoint, notes)
    rows = prepared.rows[split]
    if not len(rows):
        raise UsageError(f"the run's data have no {split} split")
    one = replace(prepared, rows={**prepared.rows, "test": rows})
    values = _run_predict(restored, build_test_batches(plan, one))
    absent = [name for name in keep if name not in prepared.extras]
    if absent:
        raise UsageError(f"--keep: there is no column '{absent[0]}'; there are {', '.join(prepared.extras)}")
    origin = {name: _texts(np.asarray(column)[rows]) for name, column in prepared.identity.items()}
    origin |= {name: _texts(np.asarray(prepared.extras[name].values)[rows]) for name in keep}
    return Predictions({**origin, **_true_values(prepared, rows), **_table(values, plan)}, notes, rows=rows.tolist())


def _refuse_text(restored: RestoredRun) -> None:
    if restored.plan.recipe.task.generates_text:
        raise UsageError("a language model continues text: use `dlx generate`, or measure it with `dlx eval --data`")


def _table(values: np.ndarray, plan: Plan) -> dict[str, list[Any]]:
    return plan.recipe.task.predictions_table(values, plan.facts)


def _true_values(prepared: Prepared, rows: np.ndarray) -> dict[str, list[Any]]:
    """Return what the target of each row is, where it is one value or several numbers."""
    facts, target = prepared.facts, prepared.arrays.get("target")
    if target is None or isinstance(target, Spans) or target.ndim > 2:
        return {}
    if facts.kind == "classes":
        return {"truth": [facts.classes[int(code)] for code in target[rows]]}
    if facts.kind == "labels":
        return {"truth": [";".join(c for c, y in zip(facts.classes, row, strict=True) if y) for row in target[rows]]}
    names = facts.fields["target"].names
    single = target.shape[1] == 1
    return {"truth" if single else f"truth({names[i]})": target[rows, i].tolist() for i in range(target.shape[1])}


def _texts(values: np.ndarray) -> list[Any]:
    """Return values as a table writes them: moments by their date alone where none has a time of day."""
    import pandas as pd

    if values.dtype.kind != "M":
        return list(values.tolist())
    found = pd.DatetimeIndex(values)
    form = "%Y-%m-%d" if bool((found == found.floor("D")).all()) else "%Y-%m-%d %H:%M:%S"
    return [str(text) for text in found.strftime(form)]


def _run_predict(restored: RestoredRun, batches: Batches) -> np.ndarray:
    with silence_lightning():
        outputs: Any = build_trainer(restored.plan).predict(restored.module, batches)
    wide = [o.detach().cpu() if o.dtype == torch.float64 else o.detach().float().cpu() for o in outputs]
    values: np.ndarray = np.concatenate(pad_outputs([output.numpy() for output in wide]))
    return values


def input_batches(arrays: dict[str, Any], plan: Plan) -> Batches:
    """Return batches of all samples."""
    return build_test_batches(plan, as_test_split(arrays, plan.facts))
