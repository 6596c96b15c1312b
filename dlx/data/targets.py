"""Encoded targets: class indices, 0/1 labels, numbers, series, or tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlx.data.statistics import statistics
from dlx.data.text import TextEncoder
from dlx.errors import DataError
from dlx.facts import IGNORED
from dlx.sources import Column, Spans
from dlx.tensors import TensorSpec

FEW_CLASSES = 20


@dataclass(frozen=True)
class EncodedTarget:
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
        codes = values.values_in_spans() if isinstance(values, Spans) else values.reshape(-1)
        return tuple(int(n) for n in np.bincount(codes[codes != IGNORED], minlength=len(self.classes)))

    @property
    def has_ignored(self) -> bool:
        """Whether some pixels or tokens have no class."""
        if not self.classes or self.multilabel:
            return False
        values = self.arrays["target"]
        return bool(((values.values if isinstance(values, Spans) else values) == IGNORED).any())

    def class_warnings(self, train: np.ndarray) -> list[str]:
        """Return why the values of a target may not be classes: most of many have hardly a sample."""
        if self.strata is None:
            return []
        counts = np.array(self.class_counts(train))
        few = int((counts < 2).sum())
        if len(counts) <= FEW_CLASSES or few < len(counts) / 2:
            return []
        return [f"{few} of {len(counts)} classes have fewer than 2 samples in train: are they numbers, or names?"]

    def specs(self, train: np.ndarray, season: int = 1, history: Spans | None = None) -> dict[str, TensorSpec]:
        """Return the target's spec, with statistics of the train split where it is numbers.

        history  the steps of a series before each target
        """
        if self.classes or not self.fields or self.fields["target"].vocab:
            return self.fields
        values, spec = self.arrays["target"][train], self.fields["target"]
        if isinstance(values, Spans):
            naive = () if history is None else _seasonal_differences(values, history[train], season)
            stats = replace(statistics(values.values_in_spans(), spec.axes), naive=naive)
            return {"target": spec.replace(stats=stats)}
        return {"target": spec.replace(stats=statistics(values, spec.axes))}

    def exclude_classes(self, names: Sequence[str], rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the rows of each split, but for train's of these classes. Raises: DataError if there are none such."""
        if not names:
            return dict(rows)
        unknown = [name for name in names if name not in self.classes]
        if unknown or self.strata is None:
            known = ", ".join(self.classes) or "no classes, or the task does not read them"
            raise DataError(
                f"data.split.holdout_classes: there is no class {', '.join(unknown or names)}; there are {known}"
            )
        strange = np.isin(self.strata, [self.classes.index(name) for name in names])
        return {**rows, "train": rows["train"][~strange[rows["train"]]]}

    def check_classes(self, rows: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> None:
        """Raise DataError if a class of val or test never stands in train, unless that is meant."""
        counts = self.class_counts(rows["train"])
        absent = [name for name, n in zip(self.classes, counts, strict=True) if n == 0 and name not in names]
        if absent:
            raise DataError(
                f"the train split has no sample of class {', '.join(absent)}; use more data or another data.split"
            )


def _seasonal_differences(target: Spans, history: Spans, season: int) -> tuple[float, ...]:
    """Return by how much each column differs on average from what it was one season before, over all steps of the
    windows that have such a step: those of the history too, whose first season has none.
    """
    begins = history.starts + season
    places = Spans(target.values, begins, target.starts + target.lengths - begins).covered_indices()
    change_NF = np.abs(target.values[places] - target.values[places - season])
    return tuple(float(c) for c in change_NF.mean(axis=0, dtype=np.float64))


def encode_target(columns: list[Column], names: tuple[str, ...], kind: str | None) -> EncodedTarget:
    """Encode the target as the task needs it. Several columns, or one with several values, are several outputs or
    labels.
    """
    if columns[0].kind == "text":
        raise DataError(f"the target {names[0]} is text, but the task predicts {kind}")
    if kind == "regression":
        return _encode_series(columns[0]) if columns[0].axes == "TF" else _encode_numbers(columns, names)
    if len(columns) > 1 or columns[0].axes == "F":
        return _encode_labels(columns, names)
    if isinstance(columns[0].values, Spans):
        return _token_classes(columns[0].values, columns[0].classes)
    codes, classes = _encode_classes(columns[0], names[0])
    spec = TensorSpec(codes.shape[1:], columns[0].axes, "int64", vocab=(len(classes),))
    return EncodedTarget({"target": codes}, {"target": spec}, classes)


def _token_classes(codes: Spans, classes: tuple[str, ...]) -> EncodedTarget:
    """Keep one class for every token."""
    spec = TensorSpec((codes.length,), "T", "int64", vocab=(len(classes),))
    return EncodedTarget({"target": codes}, {"target": spec}, classes)


def align_to_tokens(target: EncodedTarget, arrays: Mapping[str, Any], max_length: int | None) -> EncodedTarget:
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
    return _token_classes(tags, target.classes)


def _encode_series(column: Column) -> EncodedTarget:
    """Keep moments and columns apart: (T, F)."""
    given, features = column.values, column.values.values.shape[1]
    values = Spans(given.values.astype(np.float64), given.starts, given.lengths)
    return EncodedTarget(
        {"target": values}, {"target": TensorSpec((values.length, features), "TF", names=column.names)}
    )


def encode_text_target(column: Column, text: TextEncoder, name: str) -> EncodedTarget:
    """Encode a target that is text, with begin and end."""
    values = text.encode(column.values, name, ends=True)
    return EncodedTarget({"target": values}, {"target": text.spec((values.length,))})


def _encode_classes(column: Column, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if column.classes:
        codes = np.asarray(column.values, dtype=np.int64)
        bad = np.flatnonzero(((codes < 0) & (codes != IGNORED)) | (codes >= len(column.classes)))
        if len(bad):
            row, label = bad[0] // max(1, codes[0].size) + 1, codes.reshape(-1)[bad[0]]
            raise DataError(f"row {row}: label {label} of {name}, but there are {len(column.classes)} classes")
        return codes, column.classes
    values = np.array([class_name(v) for v in column.values], dtype=object)
    found = sorted(set(column.values), key=lambda v: (isinstance(v, str), v))
    classes = tuple(class_name(v) for v in found)
    if len(classes) > max(100, len(values) // 2):
        raise DataError(
            f"target {name} has {len(classes)} different values in {len(values)} rows: use `task: regression`"
        )
    index = {c: i for i, c in enumerate(classes)}
    return np.array([index[v] for v in values], dtype=np.int64), classes


def class_name(value: Any) -> str:
    """Return what the class of a value is called; 3.0 is 3."""
    return str(int(value)) if isinstance(value, (float, np.floating)) and float(value).is_integer() else str(value)


def _encode_labels(columns: list[Column], names: tuple[str, ...]) -> EncodedTarget:
    values = _stack(columns, names)
    if not np.isin(values, (0.0, 1.0)).all():
        row, k = np.argwhere(~np.isin(values, (0.0, 1.0)))[0]
        raise DataError(f"row {row + 1}: several labels at once are 0 or 1, but this is {values[row, k]:g}")
    classes = names if len(names) > 1 else columns[0].names or tuple(str(i) for i in range(values.shape[1]))
    return EncodedTarget(
        {"target": values.astype(np.float32)},
        {"target": TensorSpec((values.shape[1],), "F")},
        tuple(classes),
        multilabel=True,
    )


def _encode_numbers(columns: list[Column], names: tuple[str, ...]) -> EncodedTarget:
    values = _stack(columns, names)
    labels = names if len(names) > 1 else columns[0].names or names
    return EncodedTarget(
        {"target": values}, {"target": TensorSpec((values.shape[1],), "F", names=tuple(labels), stats=None)}
    )


def _stack(columns: list[Column], names: tuple[str, ...]) -> np.ndarray:
    for column, name in zip(columns, names, strict=True):
        if column.kind == "categorical" and not column.classes:
            raise DataError(f"target {name} holds words, not numbers: use `task: classification`")
    return np.concatenate([np.asarray(c.values, dtype=np.float64).reshape(len(c), -1) for c in columns], axis=1)
