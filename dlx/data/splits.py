"""Which rows train, choose and judge: pure functions of the seed and the labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlx.errors import DataError
from dlx.recipe.schema.data import Split
from dlx.sources import Samples

SPLITS = ("train", "val", "test")
SplitRows = dict[str, "np.ndarray[Any, Any]"]


def split_rows(samples: Samples, split: Split, labels: np.ndarray | None, seed: int) -> SplitRows:
    """Return the row numbers of train, val and test, each sorted.

    labels are class codes where the target is categorical (splits are then stratified by them), else None.
    """
    if samples.time is not None and split.by in ("auto", "order"):
        return _split_by_time(samples.time, split)
    rows = np.arange(len(next(iter(samples.columns.values()))))
    given = samples.splits if split.by != "column" else _splits_of_column(samples, split)
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
        rest, val = _take_fold(rest, split, strata, generator)
    elif not len(val) and split.by != "column":
        rest, val = _take(rest, split.val, strata, generator, ordered)
    if split.train is not None:
        _, rest = _take(rest, split.train, strata, generator, ordered)
    if not len(rest):
        raise DataError("data.split leaves no samples to train on")
    return {"train": rest, "val": val, "test": test}


def _split_by_time(time: np.ndarray, split: Split) -> SplitRows:
    """Split windows of a series so that every moment is in the targets of one split at most: train, then val, test.

    Shares are of the time, numbers are steps of time. Windows whose target reaches over a boundary are left out; what a
    network sees before its target may come from the split before, as it is known by then.
    """
    _refuse_train_fraction(split)
    if split.folds is not None:
        raise DataError("data.split: folds would let a series train on what comes after it; leave `folds` out")
    begin, end = time.T
    first, last = int(begin.min()), int(end.max())
    test = last - _count(split.test, last - first)
    val = test - _count(split.val, test - first)
    inside = {"train": (first, val), "val": (val, test), "test": (test, last)}
    parts = {part: np.flatnonzero((begin >= low) & (end <= high)) for part, (low, high) in inside.items()}
    for part, (low, high) in inside.items():
        if low < high and not len(parts[part]):
            raise DataError(
                f"data.split: {part} has {high - low} steps of time, into which no target fits: give it more"
            )
    if not len(parts["train"]):
        raise DataError("data.split leaves no samples to train on")
    return parts


def _refuse_train_fraction(split: Split) -> None:
    """Refuse to leave out a part of what is not made of samples."""
    if split.train is not None:
        raise DataError(
            "data.split: `train` chooses among samples, and neither series nor running text are made of any"
        )


def _count(share: float, whole: int) -> int:
    return round(share * whole) if share < 1 else int(share)


def split_documents(samples: Samples, documents: list[str], split: Split, seed: int) -> dict[str, list[str]]:
    """Return running text for train, val and test.

    Text that belongs to no split is cut by characters: the end is for test, what is before it for val. With
    `by: random`, whole documents are dealt out.
    """
    _refuse_train_fraction(split)
    if split.by not in ("auto", "order", "random") or split.folds is not None:
        raise DataError(f"data.split: running text is split by order or random, not by {split.by} or folds")
    if split.by == "random":
        return {part: [documents[i] for i in rows] for part, rows in split_rows(samples, split, None, seed).items()}
    assigned = samples.splits if samples.splits is not None else np.full(len(documents), "train", dtype=object)
    parts = {part: [d for d, p in zip(documents, assigned, strict=True) if p == part] for part in SPLITS}
    for part, share in (("test", split.test), ("val", split.val)):
        if not parts[part]:
            parts["train"], parts[part] = _cut_characters(parts["train"], share)
    if not parts["train"]:
        raise DataError("data.split leaves no text to train on")
    return parts


def _cut_characters(documents: list[str], share: float) -> tuple[list[str], list[str]]:
    """Return (kept, taken): the last characters are taken, in the middle of a document if need be."""
    kept, taken = list(documents), list[str]()
    count = _count(share, sum(map(len, documents)))
    while count and kept:
        last = kept.pop()
        if len(last) > count:
            kept.append(last[:-count])
            last = last[-count:]
        taken.insert(0, last)
        count -= len(last)
    return kept, taken


def _splits_of_column(samples: Samples, split: Split) -> np.ndarray:
    if split.column is None or split.column not in samples.columns:
        raise DataError(f"data.split: `by: column` needs `column`, one of {', '.join(samples.columns)}")
    assigned = np.asarray(samples.columns[split.column].values)
    strange = [(row, v) for row, v in enumerate(assigned) if v not in SPLITS]
    if strange:
        row, value = strange[0]
        raise DataError(f"row {row + 1}: {split.column} is '{value}', but a split is one of {', '.join(SPLITS)}")
    return assigned


def _take(
    rows: np.ndarray, share: float, strata: np.ndarray | None, generator: np.random.Generator, ordered: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return (kept, taken): a share of the rows below 1, a number of them from 1 on."""
    count = _count(share, len(rows))
    if count > len(rows):
        raise DataError(f"data.split asks for {count} samples, but only {len(rows)} are left")
    if ordered:
        return rows[: len(rows) - count], rows[len(rows) - count :]
    taken = np.sort(_stratified_choice(rows, count, strata, generator))
    return np.setdiff1d(rows, taken), taken


def _stratified_choice(
    rows: np.ndarray, count: int, strata: np.ndarray | None, generator: np.random.Generator
) -> np.ndarray:
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


def _take_fold(
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
