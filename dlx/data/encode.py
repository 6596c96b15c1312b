"""How columns become numbers, and what is learned for it from the train split.

Samples of one shape are an array whose first axis counts samples. Sequences are `Spans`: one flat array of values, and
where each sample starts and how long it is. Tokens are spans of int64 with axes "T", series are spans of float32 with
axes "TF"; their spec has the dimension None where lengths vary, and the length where all have the same. Spans cost two
numbers a sample, may overlap (windows of a series, blocks of a text) and may lie in a mapped file; a batch is gathered
by one index (`dlx.engine.data.padding`), padded to its own longest.

Ids 0 … 3 are padding, unknown, begin and end under every tokenizer. A real token is never 0, so `ids != 0` is the mask
of a batch of tokens. A text to predict begins with begin and ends with end; a text to read has neither, and is one
unknown token if it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlx.data.statistics import statistics
from dlx.data.text import Text, lengths
from dlx.errors import DataError
from dlx.facts import Lengths
from dlx.sources import Column, LazySamples, Spans
from dlx.tensors import TensorSpec

LAZY_SAMPLE = 2000  # decoded samples that estimate the statistics of images which stay on disk


@dataclass(frozen=True)
class Inputs:
    """Encoded input fields: arrays, their specs, the names of categories, and lengths where they vary."""

    arrays: dict[str, Any]
    fields: dict[str, TensorSpec]
    categories: dict[str, tuple[str, ...]]
    lengths: dict[str, Lengths]


@dataclass(frozen=True)
class Target:
    """The encoded target: nothing, class codes (N,) or (N, H, W), 0/1 labels (N, K), values (N, K), or series."""

    arrays: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, TensorSpec] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    multilabel: bool = False

    @property
    def strata(self) -> np.ndarray | None:
        """Class codes by which a split is stratified: of samples that have one each."""
        one_each = self.classes and not self.multilabel and not self.fields["target"].axes
        return self.arrays["target"] if one_each else None

    def class_counts(self, train: np.ndarray) -> tuple[int, ...]:
        """Return how often each class stands in the train split."""
        if not self.classes:
            return ()
        values = self.arrays["target"][train]
        if self.multilabel:
            return tuple(int(n) for n in values.sum(axis=0))
        codes = values.covered() if isinstance(values, Spans) else values.reshape(-1)
        return tuple(int(n) for n in np.bincount(codes, minlength=len(self.classes)))

    def described(self, train: np.ndarray, season: int = 1) -> dict[str, TensorSpec]:
        """Return the target's spec, with statistics of the train split where it is numbers."""
        if self.classes or not self.fields or self.fields["target"].vocab:
            return self.fields
        values, spec = self.arrays["target"][train], self.fields["target"]
        if isinstance(values, Spans):
            stats = replace(statistics(values.covered(), spec.axes), naive=_changes(values, season))
            return {"target": spec.replace(stats=stats)}
        return {"target": spec.replace(stats=statistics(values, spec.axes))}

    def without(self, unseen: Sequence[str], rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the rows of each split, but for train's of these classes. Raises: DataError if there are none such."""
        if not unseen:
            return dict(rows)
        unknown = [name for name in unseen if name not in self.classes]
        if unknown or self.strata is None:
            known = ", ".join(self.classes) or "no classes, or the task does not read them"
            raise DataError(
                f"data.split.holdout_classes: there is no class {', '.join(unknown or unseen)}; there are {known}"
            )
        strange = np.isin(self.strata, [self.classes.index(name) for name in unseen])
        return {**rows, "train": rows["train"][~strange[rows["train"]]]}

    def check(self, rows: Mapping[str, np.ndarray], unseen: Sequence[str] = ()) -> None:
        """Raise DataError if a class of val or test never stands in train, unless that is meant."""
        counts = self.class_counts(rows["train"])
        absent = [name for name, n in zip(self.classes, counts, strict=True) if n == 0 and name not in unseen]
        if absent:
            raise DataError(
                f"the train split has no sample of class {', '.join(absent)}; use more data or another data.split"
            )


def _changes(series: Spans, season: int) -> tuple[float, ...]:
    """Return by how much each column differs on average from what it was one season before."""
    places = series.places()
    change_NF = np.abs(series.values[places] - series.values[places - season])
    return tuple(float(c) for c in change_NF.mean(axis=0, dtype=np.float64))


def encode_inputs(columns: Mapping[str, Column], train: np.ndarray, texts: Mapping[str, Text] | None = None) -> Inputs:
    """Encode fields: scalars are gathered into `numeric` and `categorical` tables, everything else stays by itself.

    texts holds the trained tokenizer of every field with text.
    """
    result = Inputs({}, {}, {}, {})
    numeric = [n for n, c in columns.items() if c.axes == "" and c.kind == "numeric"]
    categorical = [n for n, c in columns.items() if c.axes == "" and c.kind == "categorical"]
    if numeric:
        table = np.stack([np.asarray(columns[n].values, dtype=np.float32) for n in numeric], axis=1)
        _add_numeric(result, "numeric", table, "F", tuple(numeric), train)
    if categorical:
        _add_categorical(result, {n: columns[n] for n in categorical}, train)
    for name, column in columns.items():
        if texts and name in texts:
            _add_spans(result, name, texts[name].encode(column.values, name), texts[name].spec(), train)
        elif isinstance(column.values, Spans):
            values = Spans(column.values.values.astype(np.float32), column.values.starts, column.values.lengths)
            features = values.values.shape[1]
            _add_spans(result, name, values, TensorSpec((None, features), "TF", names=column.names), train)
        elif column.axes != "":
            _add_numeric(result, name, column.values, column.axes, column.names, train)
    if not result.fields:
        raise DataError("data.inputs: there is nothing to learn from")
    return result


def _add_numeric(result: Inputs, name: str, values: Any, axes: str, names: tuple[str, ...], train: np.ndarray) -> None:
    lazy = isinstance(values, LazySamples)
    dims = tuple(values.shape) if lazy else values.shape[1:]
    known = np.stack([values[i] for i in train[:LAZY_SAMPLE]]) if lazy else values[train]
    result.arrays[name] = values if lazy or values.dtype == np.uint8 else np.asarray(values, dtype=np.float32)
    dtype = "uint8" if str(values.dtype) == "uint8" else "float32"
    result.fields[name] = TensorSpec(tuple(dims), axes, dtype, names=names, stats=statistics(known, axes))


def _add_spans(result: Inputs, name: str, values: Spans, spec: TensorSpec, train: np.ndarray) -> None:
    """Add sequences; those whose lengths all agree have a spec that says so."""
    result.arrays[name] = values
    if values.length is None:
        result.lengths[name] = lengths(values, train)
    stats = statistics(values[train].covered(), spec.axes) if spec.is_float else None
    result.fields[name] = spec.replace(dims=(values.length, *spec.dims[1:]), stats=stats)


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


def encode_target(columns: list[Column], names: tuple[str, ...], kind: str | None) -> Target:
    """Encode the target as the task needs it. Several columns, or one with several values, are several outputs or
    labels.
    """
    if columns[0].kind == "text":
        raise DataError(f"the target {names[0]} is text, but the task predicts {kind}")
    if kind == "regression":
        return _series(columns[0]) if columns[0].axes == "TF" else _values(columns, names)
    if len(columns) > 1 or columns[0].axes == "F":
        return _labels(columns, names)
    if isinstance(columns[0].values, Spans):
        return _tags(columns[0].values, columns[0].classes)
    codes, classes = _codes(columns[0], names[0])
    spec = TensorSpec(codes.shape[1:], columns[0].axes, "int64", vocab=(len(classes),))
    return Target({"target": codes}, {"target": spec}, classes)


def _tags(codes: Spans, classes: tuple[str, ...]) -> Target:
    """Keep one class for every token."""
    spec = TensorSpec((codes.length,), "T", "int64", vocab=(len(classes),))
    return Target({"target": codes}, {"target": spec}, classes)


def aligned(target: Target, arrays: Mapping[str, Any], max_length: int | None) -> Target:
    """Return a target of one class for every token cut off where its text is.

    Raises: DataError if a text has another number of tokens than its target has classes.
    """
    tags = target.arrays["target"]
    limit = int(tags.lengths.max()) if max_length is None else max_length
    tags = Spans(tags.values, tags.starts, np.minimum(tags.lengths, limit))
    for name, tokens in arrays.items():
        wrong = np.flatnonzero(tokens.lengths != tags.lengths)
        if len(wrong):
            row = wrong[0]
            raise DataError(
                f"row {row + 1}: '{name}' has {tokens.lengths[row]} tokens, but there are {tags.lengths[row]} classes, "
                "one for each word: use `tokenizer: {word: {pre_tokenizer: whitespace}}`"
            )
    return _tags(tags, target.classes)


def _series(column: Column) -> Target:
    """Keep moments and columns apart: (T, F)."""
    given, features = column.values, column.values.values.shape[1]
    values = Spans(given.values.astype(np.float32), given.starts, given.lengths)
    return Target({"target": values}, {"target": TensorSpec((values.length, features), "TF", names=column.names)})


def encode_sequence(column: Column, text: Text, name: str) -> Target:
    """Encode a target that is text, with begin and end."""
    values = text.encode(column.values, name, ends=True)
    return Target({"target": values}, {"target": text.spec((values.length,))})


def _codes(column: Column, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if column.classes:
        codes = np.asarray(column.values, dtype=np.int64)
        bad = np.flatnonzero((codes < 0) | (codes >= len(column.classes)))
        if len(bad):
            row, label = bad[0] // max(1, codes[0].size) + 1, codes.reshape(-1)[bad[0]]
            raise DataError(f"row {row}: label {label} of {name}, but there are {len(column.classes)} classes")
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
