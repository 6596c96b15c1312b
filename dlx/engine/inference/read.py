"""Reading: samples from files that come after training, encoded as it encoded its own. Torch-free."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlx.data.encode_new import encode_new_inputs
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.sources import Column, NewInputs, Source, Spans, source_for_suffix
from dlx.tensors import TensorSpec

ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class ReadInputs:
    """Encoded inputs, the columns that tell samples apart, what may be wrong, and the sizes of images as they were."""

    arrays: dict[str, Any]
    origin: dict[str, list[Any]]
    warnings: list[str]
    sizes: tuple[tuple[int, int], ...] = ()


def read_inputs(paths: list[Path], own: Source, facts: DataFacts, keep: Sequence[str] = ()) -> ReadInputs:
    """Read samples from files, as the run's own source does where it can, and encode them as training did."""
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
