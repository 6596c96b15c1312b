"""Which rows train, choose and judge: pure functions of the seed and the labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.recipe.schema import Split
from dlx.sources import Samples

PARTS = ("train", "val", "test")
Parts = dict[str, "np.ndarray[Any, Any]"]


def split_rows(samples: Samples, split: Split, labels: np.ndarray | None, seed: int) -> Parts:
    """Return the row numbers of train, val and test, each sorted.

    labels are class codes where the target is categorical (splits are then stratified by them), else None.
    """
    rows = np.arange(len(next(iter(samples.columns.values()))))
    given = samples.parts if split.by != "column" else _column_parts(samples, split)
    generator = np.random.default_rng([seed, 0x5911])
    test = rows[given == "test"] if given is not None else np.array([], dtype=int)
    val = rows[given == "val"] if given is not None else np.array([], dtype=int)
    rest = np.setdiff1d(rows, np.concatenate([test, val]))
    strata = labels if split.by in ("auto", "stratified") else None
    if split.by == "stratified" and labels is None:
        raise DataError("data.split: `by: stratified` needs a target with classes")
    ordered = split.by == "order"
    if not len(test) and split.by != "column":
        rest, test = _take(rest, split.test, strata, generator, ordered)
    if split.folds is not None:
        rest, val = _fold(rest, split, strata, generator)
    elif not len(val) and split.by != "column":
        rest, val = _take(rest, split.val, strata, generator, ordered)
    if not len(rest):
        raise DataError("data.split leaves no samples to train on")
    return {"train": rest, "val": val, "test": test}


def _column_parts(samples: Samples, split: Split) -> np.ndarray:
    if split.column is None or split.column not in samples.columns:
        raise DataError(f"data.split: `by: column` needs `column`, one of {', '.join(samples.columns)}")
    said = np.asarray(samples.columns[split.column].values)
    strange = [(row, v) for row, v in enumerate(said) if v not in PARTS]
    if strange:
        row, value = strange[0]
        raise DataError(f"row {row + 1}: {split.column} is '{value}', but a split is one of {', '.join(PARTS)}")
    return said


def _take(
    rows: np.ndarray, share: float, strata: np.ndarray | None, generator: np.random.Generator, ordered: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return (kept, taken): a share of the rows below 1, a number of them from 1 on."""
    count = round(share * len(rows)) if share < 1 else int(share)
    if count > len(rows):
        raise DataError(f"data.split asks for {count} samples, but only {len(rows)} are left")
    if ordered:
        return rows[: len(rows) - count], rows[len(rows) - count :]
    taken = np.sort(_spread(rows, count, strata, generator))
    return np.setdiff1d(rows, taken), taken


def _spread(rows: np.ndarray, count: int, strata: np.ndarray | None, generator: np.random.Generator) -> np.ndarray:
    """Choose `count` rows, each class in proportion to its size."""
    shuffled = generator.permutation(rows)
    if strata is None or count == 0:
        return shuffled[:count]
    # Within each class the rows get the positions 0.5/n, 1.5/n, …; the first `count` of all take each class evenly.
    position = np.empty(len(shuffled))
    codes = strata[shuffled]
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return shuffled[np.argsort(position, kind="stable")[:count]]


def _fold(
    rows: np.ndarray, split: Split, strata: np.ndarray | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    folds = split.folds or 1
    if split.fold > folds:
        raise DataError(f"data.split: fold {split.fold} of {folds} does not exist")
    shuffled = rows if split.by == "order" else generator.permutation(rows)
    if strata is not None:
        shuffled = shuffled[np.argsort(strata[shuffled], kind="stable")]
        val = np.sort(shuffled[split.fold - 1 :: folds])
    else:
        val = np.sort(np.array_split(shuffled, folds)[split.fold - 1])
    return np.setdiff1d(rows, val), val
