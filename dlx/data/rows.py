"""Rows of samples: which are missing a value, which are equal, and samples of some rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dlx.sources import Column, LazySamples, Samples, Spans


def count_rows(samples: Samples) -> int:
    """Return how many samples there are."""
    return len(next(iter(samples.columns.values())))


def take_rows(samples: Samples, keep: np.ndarray) -> Samples:
    """Return the samples of some rows, which a mask or their numbers name."""

    def taken(columns: Mapping[str, Column]) -> dict[str, Column]:
        return {name: replace(column, values=column.values[keep]) for name, column in columns.items()}

    return replace(
        samples,
        columns=taken(samples.columns),
        left_out=taken(samples.left_out),
        splits=None if samples.splits is None else samples.splits[keep],
        time=None if samples.time is None else samples.time[keep],
        identity={name: np.asarray(values)[keep] for name, values in samples.identity.items()},
    )


def is_missing(column: Column) -> np.ndarray:
    """Return for every row whether the value is absent: NaN or None."""
    values = column.values
    if isinstance(values, LazySamples | Spans):
        return np.zeros(len(values), dtype=bool)
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values.reshape(len(values), -1)).any(axis=1))
    return np.zeros(len(values), dtype=bool)


def lacks_any(samples: Samples, names: Iterable[str]) -> np.ndarray:
    """Return which samples lack a value in any of these columns."""
    missing = np.zeros(count_rows(samples), dtype=bool)
    for name in names:
        missing |= is_missing(samples.columns[name])
    return missing


def row_keys(columns: Mapping[str, Column]) -> np.ndarray | None:
    """Return a number for every row that is equal where all columns are; None where samples stay on disk."""
    if any(isinstance(column.values, LazySamples) for column in columns.values()):
        return None
    keys = np.zeros(len(next(iter(columns.values()))), dtype=np.uint64)
    for column in columns.values():
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + _hashes(column.values)
    return keys


def _hashes(values: Any) -> np.ndarray:
    from pandas.util import hash_array

    if isinstance(values, Spans) or values.ndim > 1:
        return np.array([hash(np.ascontiguousarray(value).tobytes()) for value in values], dtype=np.int64).view("u8")
    if values.dtype == object:
        values = np.array([str(value) for value in values], dtype=object)
    hashes: np.ndarray = hash_array(np.ascontiguousarray(values))
    return hashes
