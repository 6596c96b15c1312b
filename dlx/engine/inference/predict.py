"""What a trained run says of new inputs: files, folders, arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.data.encode_new import all_as_test, encode_new_inputs
from dlx.engine.build.experiment import batches_of
from dlx.engine.data.batches import Batches
from dlx.engine.inference.restore import Restored, restore
from dlx.engine.training.trainer import quieted, trainer_for
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.sources import Column, Source, Spans, source_for_suffix
from dlx.tensors import TensorSpec

ARRAYS = (".npy", ".npz")
LIKELY = 0.5  # from this probability on a label is said to be there


@dataclass(frozen=True)
class Predictions:
    """One entry for every sample: the table's columns by name, and what differs from when the run was trained."""

    columns: Mapping[str, list[Any]]
    notes: list[str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def frame(self) -> Any:
        """Return a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))


def predict(run: str | Path, inputs: Sequence[str | Path]) -> Predictions:
    """Predict the target of every sample in files and folders of the kind that the run was trained on.

    Raises: UsageError if an input is not there; DataError where it does not fit the model; CheckpointError.
    """
    paths = files([Path(i) for i in inputs])
    return predict_with(restore(run), paths)


def predict_with(restored: Restored, paths: list[Path]) -> Predictions:
    """Predict samples in files with a run that is restored already.

    Raises: UsageError if its task has no table of predictions; DataError where they do not fit it.
    """
    if restored.plan.recipe.task.generates_text:
        raise UsageError("a language model continues text: use `dlx generate`, or measure it with `dlx eval --data`")
    arrays, origin = read(paths, restored.plan)
    values = _predicted(restored, arrays)
    columns = restored.plan.recipe.task.predictions_table(values, restored.plan.facts)
    if columns is None:
        columns = _columns(values, restored.plan.facts)
    return Predictions({**origin, **columns}, restored.notes)


def files(inputs: Sequence[Path]) -> list[Path]:
    """Return the files that are named, and those in folders. Raises: UsageError where there is none."""
    found: list[Path] = []
    for path in inputs:
        if not path.exists():
            raise UsageError(f"there is no input {path}")
        inside = (
            sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise UsageError(f"the folder {path} is empty")
        found += inside
    if not found:
        raise UsageError("name at least one file or folder to predict")
    return found


def read(paths: list[Path], plan: Plan) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return encoded inputs, and the columns that say where each sample comes from."""
    own: Source = plan.recipe.data.source
    facts = plan.facts
    groups = [_arrays(p, facts) if p.suffix.lower() in ARRAYS else _columns_of(p, own, facts) for p in paths]
    parts = [encode_new_inputs(columns, facts) for columns in groups]
    arrays = {name: _joined([part[name] for part in parts]) for name in facts.inputs}
    counts = [len(next(iter(part.values()))) for part in parts]
    origin: dict[str, list[Any]] = {}
    if len(paths) > 1 or counts == [1]:
        origin["file"] = [str(path) for path, n in zip(paths, counts, strict=True) for _ in range(n)]
    if any(n > 1 for n in counts):
        origin["row"] = [row for n in counts for row in range(1, n + 1)]
    return arrays, origin


def _joined(parts: list[Any]) -> Any:
    if not isinstance(parts[0], Spans):
        return np.concatenate(parts)
    return Spans.of([spans[row] for spans in parts for row in range(len(spans))])


def _columns_of(path: Path, own: Source, facts: DataFacts) -> dict[str, Column]:
    reader = source_for_suffix(path.suffix.lower(), own)
    if reader is None:
        raise UsageError(f"{path}: files that end in '{path.suffix}' cannot be read as input")
    return reader.read_inputs([path], facts)


def _arrays(path: Path, facts: DataFacts) -> dict[str, Column]:
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
    return {n: c for name in facts.inputs for n, c in _as_columns(name, arrays[name], facts.fields[name], path).items()}


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


def _predicted(restored: Restored, arrays: dict[str, Any]) -> np.ndarray:
    with quieted():
        outputs: Any = trainer_for(restored.plan).predict(restored.module, batches(arrays, restored.plan))
    values: np.ndarray = torch.cat(_of_one_length([o.detach().float().cpu() for o in outputs])).numpy()
    return values


def batches(arrays: dict[str, Any], plan: Plan) -> Batches:
    """Return batches of all that was read."""
    return batches_of(plan.evolve("recipe.train.limit_test_samples", None), all_as_test(arrays, plan.facts))["test"]


def _of_one_length(outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return what was said of batches of sequences with −1 after the end of the shorter ones."""
    if len({o.shape[1:] for o in outputs}) == 1 or outputs[0].ndim != 2:
        return outputs
    longest = max(o.shape[1] for o in outputs)
    return [torch.nn.functional.pad(o, (0, longest - o.shape[1]), value=-1) for o in outputs]


def _columns(values: np.ndarray, facts: DataFacts) -> dict[str, list[Any]]:
    """Return what a person wants to read: classes with probabilities, labels, or numbers under their names."""
    if facts.kind == "regression":
        names = facts.fields["target"].names if facts.target else ()
        several = values.shape[1] > 1
        titles = (
            names
            if len(names) == values.shape[1] and several
            else [f"prediction_{i + 1}" for i in range(values.shape[1])]
        )
        return {t if several else "prediction": values[:, i].tolist() for i, t in enumerate(titles)}
    probabilities = {f"p({name})": values[:, i].tolist() for i, name in enumerate(facts.classes)}
    if facts.kind == "labels":
        said = [";".join(c for c, p in zip(facts.classes, row, strict=True) if p >= LIKELY) for row in values]
    else:
        said = [facts.classes[i] for i in values.argmax(axis=1)]
    return {"prediction": list(said), **probabilities}
