"""Statistics of a field: mean, standard deviation, range and quantiles of each channel or column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlx.tensors import Stats

QUANTILES = 101
COUNTED = 2**20  # bytes that are counted together


def statistics(values: np.ndarray, axes: str) -> Stats:
    """Return statistics of each channel of images (N, C, …), or of each column of a table (N, F) or of series
    (…, F). NaN is missing.

    Quantiles are taken for tables only.
    """
    channel = -1 if axes == "TF" else 1
    flat = np.moveaxis(values, channel, 0).reshape(values.shape[channel], -1) if values.ndim > 1 else values[None]
    rows = [row[~np.isnan(row)] if row.dtype.kind == "f" else row for row in flat]
    rows = [row if len(row) else np.zeros(1) for row in rows]
    quantiles = [tuple(np.quantile(r, np.linspace(0, 1, QUANTILES)).tolist()) for r in rows] if axes == "F" else []
    means, deviations = zip(*(moments(row) for row in rows), strict=True)
    return Stats(
        mean=means,
        std=deviations,
        low=tuple(float(r.min()) for r in rows),
        high=tuple(float(r.max()) for r in rows),
        quantiles=tuple(quantiles),
        missing=tuple(bool(np.isnan(f).any()) if f.dtype.kind == "f" else False for f in flat),
    )


def moments(row: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation. Bytes are counted, a part at a time: as numbers they take eightfold."""
    if row.dtype != np.uint8:
        return float(row.mean(dtype=np.float64)), float(row.std(dtype=np.float64))
    parts = np.array_split(row, 1 + len(row) // COUNTED)
    counts = np.sum([np.bincount(part, minlength=256) for part in parts], axis=0)
    levels = np.arange(256)
    mean = counts @ levels / len(row)
    return float(mean), float(np.sqrt(counts @ (levels - mean) ** 2 / len(row)))


def missing_numbers(arrays: Mapping[str, Any], rows: Mapping[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    """Return the splits in which samples lack a number, by field of a table; fields without any are left out."""
    tables = {n: a for n, a in arrays.items() if isinstance(a, np.ndarray) and a.ndim == 2 and a.dtype.kind == "f"}
    absent: dict[str, Any] = {name: np.isnan(array).any(axis=1) for name, array in tables.items()}
    found = {name: tuple(s for s, index in rows.items() if lacks[index].any()) for name, lacks in absent.items()}
    return {name: splits for name, splits in found.items() if splits}
