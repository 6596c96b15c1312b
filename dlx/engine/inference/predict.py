"""Prediction: the targets that a trained run predicts for new inputs: files, folders, arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.data.encode_new import as_test_split, encode_new_inputs
from dlx.data.prepare import Prepared
from dlx.engine.build.experiment import build_test_batches
from dlx.engine.data.batches import Batches
from dlx.engine.inference.evaluate import read_own_data
from dlx.engine.inference.files import input_files
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.sources import Column, NewInputs, Source, Spans, source_for_suffix
from dlx.tensors import TensorSpec

ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Predictions:
    """One entry for every sample.

    columns  the table's columns by name
    notes    what differs from when the run was trained, or may be wrong with the samples
    masks    class indices (H, W) of every image's pixels, of a segmentation
    sizes    height and width of every image before it was resized, where that is known
    classes  what class indices in masks mean
    rows     which samples of the run's own data they are, counted from 0; none of other samples
    """

    columns: Mapping[str, list[Any]]
    notes: list[str]
    masks: np.ndarray | None = None
    sizes: Sequence[tuple[int, int]] = ()
    classes: tuple[str, ...] = ()
    rows: Sequence[int] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def write_masks(self, folder: Path) -> list[Path]:
        """Write each image's mask into a folder as PNG. Raises: UsageError if there are no masks."""
        from dlx.engine.inference.masks import write_masks

        return write_masks(self, folder)

    def frame(self) -> Any:
        """Return a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))


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
    found = read_inputs(paths, restored.plan, keep)
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


@dataclass(frozen=True)
class ReadInputs:
    """Encoded inputs, the columns that tell samples apart, what may be wrong, and the sizes of images as they were."""

    arrays: dict[str, Any]
    origin: dict[str, list[Any]]
    warnings: list[str]
    sizes: tuple[tuple[int, int], ...] = ()


def read_inputs(paths: list[Path], plan: Plan, keep: Sequence[str] = ()) -> ReadInputs:
    """Read samples from files, and encode them as training did."""
    own: Source = plan.recipe.data.source
    facts = plan.facts
    groups = [
        _read_arrays(p, facts) if p.suffix.lower() in ARRAYS else _read_with_source(own, p, facts, keep) for p in paths
    ]
    encoded = [encode_new_inputs(group.columns, facts) for group in groups]
    arrays = {name: _concatenate([part[name] for part, _ in encoded]) for name in facts.inputs}
    counts = [len(next(iter(part.values()))) for part, _ in encoded]
    origin: dict[str, list[Any]] = {}
    if len(paths) > 1 or counts == [1]:
        origin["file"] = [str(path) for path, n in zip(paths, counts, strict=True) for _ in range(n)]
    known = [name for name in groups[0].identity if all(name in group.identity for group in groups)]
    if any(n > 1 for n in counts) and set(known) <= set(keep):
        origin["row"] = [row for n in counts for row in range(1, n + 1)]
    origin |= {name: [value for group in groups for value in group.identity[name]] for name in known}
    warnings = [text for group, (_, more) in zip(groups, encoded, strict=True) for text in (*group.warnings, *more)]
    return ReadInputs(arrays, origin, warnings, tuple(size for group in groups for size in group.sizes))


def _concatenate(parts: list[Any]) -> Any:
    if not isinstance(parts[0], Spans):
        return np.concatenate(parts)
    return Spans.of([spans[row] for spans in parts for row in range(len(spans))])


def _read_with_source(own: Source, path: Path, facts: DataFacts, keep: Sequence[str]) -> NewInputs:
    reader = source_for_suffix(path.suffix.lower(), own)
    if reader is None:
        raise UsageError(f"{path}: files that end in '{path.suffix}' cannot be read as input")
    return reader.read_inputs([path], facts, keep)


def _read_arrays(path: Path, facts: DataFacts) -> NewInputs:
    """Read inputs that NumPy saved: one array for the only input, or arrays named as the inputs are."""
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"": loaded}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as arrays of numbers: {error}") from None
    if len(facts.inputs) == 1 and facts.inputs[0] not in arrays and len(arrays) == 1:
        arrays = {facts.inputs[0]: next(iter(arrays.values()))}
    absent = [name for name in facts.inputs if name not in arrays]
    if absent:
        raise DataError(
            f"{path} has no array '{absent[0]}', which the model takes; it has {', '.join(arrays) or 'one'}"
        )
    named = (_as_columns(name, arrays[name], facts.fields[name], path) for name in facts.inputs)
    return NewInputs({name: column for columns in named for name, column in columns.items()})


def _as_columns(name: str, array: np.ndarray, spec: TensorSpec, path: Path) -> dict[str, Column]:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: '{name}' holds {array.dtype}, not numbers")
    if spec.axes == "CHW" and array.ndim == 1 + len(spec.dims) - 1 and array.shape[1:] == spec.dims[1:]:
        array = array[:, None]
    if spec.axes == "CHW" and array.ndim == 1 + len(spec.dims) and array.shape[1:] == (*spec.dims[1:], spec.dims[0]):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim == len(spec.dims):
        array = array[None]
    if spec.dtype == "uint8" and array.dtype != np.uint8 and bool(np.isin(array, np.arange(256)).all()):
        array = array.astype(np.uint8)
    if array.shape[1:] != spec.dims:
        shape = " × ".join(map(str, array.shape))
        raise DataError(f"{path}: an array of {shape}, but the model takes samples of {spec}")
    if spec.names and spec.axes == "F":
        return {column: Column(array[:, i], "", "numeric") for i, column in enumerate(spec.names)}
    return {name: Column(array, spec.axes, "numeric")}


def _run_predict(restored: RestoredRun, batches: Batches) -> np.ndarray:
    with silence_lightning():
        outputs: Any = build_trainer(restored.plan).predict(restored.module, batches)
    wide = [o.detach().cpu() if o.dtype == torch.float64 else o.detach().float().cpu() for o in outputs]
    values: np.ndarray = torch.cat(_pad_outputs(wide)).numpy()
    return values


def input_batches(arrays: dict[str, Any], plan: Plan) -> Batches:
    """Return batches of all samples."""
    return build_test_batches(plan, as_test_split(arrays, plan.facts))


def _pad_outputs(outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return outputs of batches of sequences padded to one length, with −1 after the end of the shorter ones."""
    if len({o.shape[1:] for o in outputs}) == 1 or outputs[0].ndim != 2:
        return outputs
    longest = max(o.shape[1] for o in outputs)
    return [torch.nn.functional.pad(o, (0, longest - o.shape[1]), value=-1) for o in outputs]
