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

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlx.data.statistics import statistics
from dlx.data.text import TextEncoder, lengths_of
from dlx.errors import DataError
from dlx.facts import Lengths
from dlx.sources import Column, LazySamples, Spans
from dlx.tensors import Stats, TensorSpec

LAZY_SAMPLE = 2000
"""Decoded samples, drawn evenly, that estimate the statistics of images which stay on disk."""
RESOLUTION = 2.0**-24
"""Relative rounding error of float32."""
LOST = 0.01
"""Rounding error, in standard deviations of a column, from which on it is said."""
NAMED = 8
"""Categories that are named."""


@dataclass(frozen=True)
class EncodedInputs:
    """Encoded input fields: arrays, specs, category names, lengths where they vary, and what may be wrong."""

    arrays: dict[str, Any]
    fields: dict[str, TensorSpec]
    categories: dict[str, tuple[str, ...]]
    lengths: dict[str, Lengths]
    warnings: list[str] = field(default_factory=list)


def encode_inputs(
    columns: Mapping[str, Column], train: np.ndarray, texts: Mapping[str, TextEncoder] | None = None
) -> EncodedInputs:
    """Encode fields: scalars are gathered into `numeric` and `categorical` tables, everything else stays by itself.

    texts holds the trained tokenizer of every field with text.
    """
    result = EncodedInputs({}, {}, {}, {})
    numeric = [n for n, c in columns.items() if c.axes == "" and c.kind == "numeric"]
    categorical = [n for n, c in columns.items() if c.axes == "" and c.kind == "categorical"]
    if numeric:
        exact = {n: np.asarray(columns[n].values, dtype=np.float64) for n in numeric}
        table = np.stack([values.astype(np.float32) for values in exact.values()], axis=1)
        _add_numeric(result, "numeric", table, "F", tuple(numeric), train)
        result.warnings.extend(_lost_digits(exact))
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
            result.fields[name] = result.fields[name].replace(origin=column.origin)
    if not result.fields:
        raise DataError("data.inputs: there is nothing to learn from")
    return result


def _add_numeric(
    result: EncodedInputs, name: str, values: Any, axes: str, names: tuple[str, ...], train: np.ndarray
) -> None:
    lazy = isinstance(values, LazySamples)
    dims = tuple(values.shape) if lazy else values.shape[1:]
    known = np.stack([values[i] for i in _even_sample(train)]) if lazy else values[train]
    result.arrays[name] = values if lazy or values.dtype == np.uint8 else np.asarray(values, dtype=np.float32)
    dtype = "uint8" if str(values.dtype) == "uint8" else "float32"
    result.fields[name] = TensorSpec(tuple(dims), axes, dtype, names=names, stats=statistics(known, axes))


def _even_sample(rows: np.ndarray) -> np.ndarray:
    """Return rows spread evenly over all: samples are sorted by class in many folders."""
    if len(rows) <= LAZY_SAMPLE:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, LAZY_SAMPLE, replace=False))


def _lost_digits(columns: Mapping[str, np.ndarray]) -> list[str]:
    """Return a warning for each column whose numbers float32 cannot tell apart: they are large, and close."""
    found = []
    for name, values in columns.items():
        known = values[~np.isnan(values)]
        std = float(known.std()) if len(known) else 0.0
        if std > 0 and abs(known).max() * RESOLUTION > LOST * std:
            found.append(
                f"column {name}: numbers around {known.mean():.6g} differ by {std:.3g}, less than float32 tells apart: "
                f"subtract {known.min():.6g} from them"
            )
    return found


def _add_spans(result: EncodedInputs, name: str, values: Spans, spec: TensorSpec, train: np.ndarray) -> None:
    """Add sequences; those whose lengths all agree have a spec that says so."""
    result.arrays[name] = values
    if values.length is None:
        result.lengths[name] = lengths_of(values, train)
    stats = statistics(values[train].values_in_spans(), spec.axes) if spec.is_float else None
    result.fields[name] = spec.replace(dims=(values.length, *spec.dims[1:]), stats=stats)


def _add_categorical(result: EncodedInputs, columns: Mapping[str, Column], train: np.ndarray) -> None:
    """Encode strings as 1, 2, … in the order of the alphabet; 0 is missing, or never seen in training.

    The statistics say of each column whether train has a missing value, from which a network learns what 0 means.
    """
    codes, missing = [], []
    for name, column in columns.items():
        values = _as_strings(column)
        result.categories[name] = tuple(sorted({v for v in values[train] if v is not None}))
        encoded, warning = encode_categories(name, values, result.categories[name])
        result.warnings.extend([warning] if warning else [])
        codes.append(encoded)
        missing.append(bool((encoded[train] == 0).any()))
    result.arrays["categorical"] = np.stack(codes, axis=1)
    vocab = tuple(len(result.categories[n]) + 1 for n in columns)
    stats = Stats(missing=tuple(missing))
    result.fields["categorical"] = TensorSpec(
        (len(columns),), "F", "int64", vocab=vocab, names=tuple(columns), stats=stats
    )


def encode_categories(name: str, values: np.ndarray, known: tuple[str, ...]) -> tuple[np.ndarray, str]:
    """Return the codes of categories, 0 where one is missing or unknown, and what to say of unknown ones."""
    index = {category: i + 1 for i, category in enumerate(known)}
    codes = np.array([0 if v is None else index.get(str(v), 0) for v in values], dtype=np.int64)
    unknown = [str(v) for v, code in zip(values, codes, strict=True) if code == 0 and v is not None]
    if not unknown:
        return codes, ""
    shown = f"{', '.join(known[:NAMED])}{', …' if len(known) > NAMED else ''}"
    count = f"all {len(values):,}" if len(unknown) == len(values) else f"{len(unknown):,} of {len(values):,}"
    return codes, f"{count} cells of {name} hold categories that train has not, such as {unknown[0]}; known are {shown}"


def _as_strings(column: Column) -> np.ndarray:
    if column.classes:
        return np.array([column.classes[code] for code in column.values], dtype=object)
    return np.array([None if v is None else str(v) for v in column.values], dtype=object)
