"""How columns become numbers, and what is learned for it from the train split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.sources import Column, Lazy
from dlx.tensors import Stats, TensorSpec

QUANTILES = 101
LAZY_SAMPLE = 2000  # decoded samples that estimate the statistics of images which stay on disk


@dataclass(frozen=True)
class Inputs:
    """Encoded input fields: arrays, their specs, and the names of categories."""

    arrays: dict[str, Any]
    fields: dict[str, TensorSpec]
    categories: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Target:
    """The encoded target: nothing, class codes (N,), 0/1 labels (N, K), or values (N, K)."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    fields: dict[str, TensorSpec] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    multilabel: bool = False

    @property
    def strata(self) -> np.ndarray | None:
        """Class codes by which a split is stratified."""
        return self.arrays["target"] if self.classes and not self.multilabel else None

    def class_counts(self, train: np.ndarray) -> tuple[int, ...]:
        """Return how often each class stands in the train split."""
        if not self.classes:
            return ()
        values = self.arrays["target"][train]
        if self.multilabel:
            return tuple(int(n) for n in values.sum(axis=0))
        return tuple(int(n) for n in np.bincount(values, minlength=len(self.classes)))

    def described(self, train: np.ndarray) -> dict[str, TensorSpec]:
        """Return the target's spec, with statistics of the train split where it is numbers."""
        if self.classes or not self.fields:
            return self.fields
        values = self.arrays["target"][train]
        return {"target": self.fields["target"].replace(stats=statistics(values, "F"))}

    def check(self, rows: Mapping[str, np.ndarray]) -> None:
        """Raise DataError if a class of val or test never stands in train."""
        counts = self.class_counts(rows["train"])
        absent = [name for name, n in zip(self.classes, counts, strict=True) if n == 0]
        if absent:
            raise DataError(
                f"the train split has no sample of class {', '.join(absent)}; use more data or another data.split"
            )


def encode_inputs(columns: Mapping[str, Column], train: np.ndarray) -> Inputs:
    """Encode fields: scalars are gathered into `numeric` and `categorical` tables, everything else stays by itself."""
    result = Inputs({}, {}, {})
    numeric = [n for n, c in columns.items() if c.axes == "" and c.kind == "numeric"]
    categorical = [n for n, c in columns.items() if c.axes == "" and c.kind == "categorical"]
    if numeric:
        table = np.stack([np.asarray(columns[n].values, dtype=np.float32) for n in numeric], axis=1)
        _add_numeric(result, "numeric", table, "F", tuple(numeric), train)
    if categorical:
        _add_categorical(result, {n: columns[n] for n in categorical}, train)
    for name, column in columns.items():
        if column.axes != "":
            _add_numeric(result, name, column.values, column.axes, column.names, train)
    if not result.fields:
        raise DataError("data.inputs: there is nothing to learn from")
    return result


def _add_numeric(result: Inputs, name: str, values: Any, axes: str, names: tuple[str, ...], train: np.ndarray) -> None:
    lazy = isinstance(values, Lazy)
    dims = tuple(values.shape) if lazy else values.shape[1:]
    known = np.stack([values[i] for i in train[:LAZY_SAMPLE]]) if lazy else values[train]
    result.arrays[name] = values if lazy or values.dtype == np.uint8 else np.asarray(values, dtype=np.float32)
    dtype = "uint8" if str(values.dtype) == "uint8" else "float32"
    result.fields[name] = TensorSpec(tuple(dims), axes, dtype, names=names, stats=statistics(known, axes))


def _add_categorical(result: Inputs, columns: Mapping[str, Column], train: np.ndarray) -> None:
    """Encode strings as 1, 2, … in the order of the alphabet; 0 is missing, or never seen in training."""
    codes = []
    for name, column in columns.items():
        values = _strings(column)
        result.categories[name] = tuple(sorted({v for v in values[train] if v is not None}))
        index = {v: i + 1 for i, v in enumerate(result.categories[name])}
        codes.append(np.array([index.get(v, 0) for v in values], dtype=np.int64))
    result.arrays["categorical"] = np.stack(codes, axis=1)
    vocab = tuple(len(result.categories[n]) + 1 for n in columns)
    result.fields["categorical"] = TensorSpec((len(columns),), "F", "int64", vocab=vocab, names=tuple(columns))


def _strings(column: Column) -> np.ndarray:
    if column.classes:
        return np.array([column.classes[code] for code in column.values], dtype=object)
    return np.array([None if v is None else str(v) for v in column.values], dtype=object)


def statistics(values: np.ndarray, axes: str) -> Stats:
    """Return statistics of each channel of images (N, C, …), or of each column of a table (N, F). NaN is missing.

    Quantiles are taken for tables only.
    """
    flat = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1) if values.ndim > 1 else values.reshape(1, -1)
    rows = [row[~np.isnan(row)] if row.dtype.kind == "f" else row for row in flat]
    rows = [row if len(row) else np.zeros(1) for row in rows]
    quantiles = [tuple(np.quantile(r, np.linspace(0, 1, QUANTILES)).tolist()) for r in rows] if axes == "F" else []
    return Stats(
        mean=tuple(float(r.mean(dtype=np.float64)) for r in rows),
        std=tuple(float(r.std(dtype=np.float64)) for r in rows),
        low=tuple(float(r.min()) for r in rows),
        high=tuple(float(r.max()) for r in rows),
        quantiles=tuple(quantiles),
        missing=tuple(bool(np.isnan(f).any()) if f.dtype.kind == "f" else False for f in flat),
    )


def encode_target(columns: list[Column], names: tuple[str, ...], kind: str | None) -> Target:
    """Encode the target as the task needs it. Several columns, or one with several values, are several outputs or
    labels.
    """
    if kind == "regression":
        return _values(columns, names)
    if len(columns) > 1 or columns[0].axes == "F":
        return _labels(columns, names)
    codes, classes = _codes(columns[0], names[0])
    spec = TensorSpec((), "", "int64", vocab=(len(classes),))
    return Target({"target": codes}, {"target": spec}, classes)


def _codes(column: Column, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if column.classes:
        codes = np.asarray(column.values, dtype=np.int64)
        bad = np.flatnonzero((codes < 0) | (codes >= len(column.classes)))
        if len(bad):
            raise DataError(
                f"row {bad[0] + 1}: label {codes[bad[0]]} of {name}, but there are {len(column.classes)} classes"
            )
        return codes, column.classes
    values = np.array([_label(v) for v in column.values], dtype=object)
    found = sorted(set(column.values), key=lambda v: (isinstance(v, str), v))
    classes = tuple(_label(v) for v in found)
    if len(classes) > max(100, len(values) // 2):
        raise DataError(
            f"target {name} has {len(classes)} different values in {len(values)} rows: use `task: regression`"
        )
    index = {c: i for i, c in enumerate(classes)}
    return np.array([index[v] for v in values], dtype=np.int64), classes


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, (float, np.floating)) and float(value).is_integer() else str(value)


def _labels(columns: list[Column], names: tuple[str, ...]) -> Target:
    values = _stack(columns, names)
    if not np.isin(values, (0.0, 1.0)).all():
        row, k = np.argwhere(~np.isin(values, (0.0, 1.0)))[0]
        raise DataError(f"row {row + 1}: several labels at once are 0 or 1, but this is {values[row, k]:g}")
    classes = names if len(names) > 1 else columns[0].names or tuple(str(i) for i in range(values.shape[1]))
    return Target({"target": values}, {"target": TensorSpec((values.shape[1],), "F")}, tuple(classes), multilabel=True)


def _values(columns: list[Column], names: tuple[str, ...]) -> Target:
    values = _stack(columns, names)
    labels = names if len(names) > 1 else columns[0].names or names
    return Target({"target": values}, {"target": TensorSpec((values.shape[1],), "F", names=tuple(labels), stats=None)})


def _stack(columns: list[Column], names: tuple[str, ...]) -> np.ndarray:
    for column, name in zip(columns, names, strict=True):
        if column.kind == "categorical" and not column.classes:
            raise DataError(f"target {name} holds words, not numbers: use `task: classification`")
    return np.concatenate([np.asarray(c.values, dtype=np.float32).reshape(len(c), -1) for c in columns], axis=1)
