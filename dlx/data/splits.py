"""Splits: which rows are train, val and test, as pure functions of the seed and the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.data.rows import is_missing
from dlx.errors import DataError
from dlx.recipe.schema.data import Split
from dlx.sources import Samples

SPLITS = ("train", "val", "test")
SplitRows = dict[str, "np.ndarray[Any, Any]"]


def split_rows(samples: Samples, split: Split, labels: np.ndarray | None) -> SplitRows:
    """Return the row numbers of train, val and test, each sorted.

    labels are class codes where the target is categorical (splits are then stratified by them), else None.
    """
    if samples.time is not None and split.by in ("auto", "order"):
        return _split_by_time(samples.time, split)
    rows = np.arange(len(next(iter(samples.columns.values()))))
    given = samples.splits if split.by != "column" else _splits_of_column(samples, split)
    if split.by == "stratified" and labels is None:
        raise DataError("data.split: `by: stratified` needs a target with classes")
    draw = Draw(
        np.random.default_rng([split.seed, 0x5911]),
        labels if split.by in ("auto", "stratified") else None,
        split.by == "order",
        _groups(samples, split),
    )
    test, val = (rows[given == part] if given is not None else np.array([], dtype=int) for part in ("test", "val"))
    if split.folds is not None:
        val = val[:0]  # the source's own val samples are in the folds
    rest = np.setdiff1d(rows, np.concatenate([test, val]))
    if not len(test) and split.by != "column":
        rest, test = draw.take(rest, split.test)
    if split.folds is not None:
        rest, val = draw.take_fold(rest, split.folds, split.fold)
    elif not len(val) and split.by != "column":
        rest, val = draw.take(rest, split.val)
    if split.train is not None:
        _, rest = draw.take(rest, split.train)
    if not len(rest):
        raise DataError("data.split leaves no samples to train on")
    return {"train": rest, "val": val, "test": test}


def limit_rows(rows: np.ndarray, limit: int | None, labels: np.ndarray | None, seed: int) -> np.ndarray:
    """Return at most so many rows of a split, drawn evenly by the seed: of each class in proportion to its size."""
    if limit is None or limit >= len(rows):
        return rows
    return np.sort(_stratified_choice(rows, limit, labels, np.random.default_rng([seed, 0x117])))


@dataclass(frozen=True)
class Draw:
    """How samples are dealt out: at random, evenly over the strata, in order, and groups as a whole.

    groups  a number for every sample, equal where samples must stay together
    """

    generator: np.random.Generator
    strata: np.ndarray | None
    ordered: bool
    groups: np.ndarray | None

    def take(self, rows: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Return (kept, taken): a fraction of the rows below 1, a number of them from 1 on."""
        count = _count(fraction, len(rows))
        if count > len(rows):
            raise DataError(f"data.split asks for {count} samples, but only {len(rows)} are left")
        if self.groups is not None:
            return self._take_groups(rows, count, self.groups)
        if self.ordered:
            return rows[: len(rows) - count], rows[len(rows) - count :]
        taken = np.sort(_stratified_choice(rows, count, self.strata, self.generator))
        return np.setdiff1d(rows, taken), taken

    def _take_groups(self, rows: np.ndarray, count: int, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take whole groups, as many as come nearest to the number of rows."""
        names, first, sizes = np.unique(groups[rows], return_index=True, return_counts=True)
        order = np.arange(len(names))
        if self.ordered:
            order = np.argsort(-first, kind="stable")
        else:
            strata = None if self.strata is None else self.strata[rows[first]]
            order = _stratified_choice(order, len(order), strata, self.generator)
        filled = np.cumsum(sizes[order])
        number = int(abs(np.concatenate([[0], filled]) - count).argmin())
        taken = rows[np.isin(groups[rows], names[order[: max(number, 1 if count else 0)]])]
        return np.setdiff1d(rows, taken), taken

    def take_fold(self, rows: np.ndarray, folds: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (kept, taken): all rows but those of one fold, and these."""
        units, first = rows, rows
        if self.groups is not None:
            units, places = np.unique(self.groups[rows], return_index=True)
            first = rows[places]
        shuffled = np.arange(len(units)) if self.ordered else self.generator.permutation(len(units))
        if self.strata is not None:
            shuffled = shuffled[np.argsort(self.strata[first[shuffled]], kind="stable")]
            chosen = units[shuffled[fold - 1 :: folds]]
        else:
            chosen = units[np.array_split(shuffled, folds)[fold - 1]]
        val = np.sort(chosen) if self.groups is None else rows[np.isin(self.groups[rows], chosen)]
        return np.setdiff1d(rows, val), val


def _groups(samples: Samples, split: Split) -> np.ndarray | None:
    """Return a number for every sample, equal where the field that groups them is; what is missing is its own group."""
    if split.group is None:
        return None
    known = {**samples.columns, **samples.left_out}
    if split.group not in known:
        raise DataError(f"data.split.group: there is no field '{split.group}'; there are {', '.join(known)}")
    column = known[split.group]
    values = [str(value) for value in column.values]
    _, numbers = np.unique(np.array(values, dtype=object), return_inverse=True)
    alone = len(values) + np.arange(len(values))
    return np.where(is_missing(column), alone, numbers)


def _split_by_time(time: np.ndarray, split: Split) -> SplitRows:
    """Split windows of a series so that every moment is in the targets of one split at most: train, then val, test.

    Shares are of the time, numbers are steps of time. Windows whose target reaches over a boundary are left out; what a
    network sees before its target may come from the split before, as it is known by then.
    """
    _refuse_samples(split)
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


def _refuse_samples(split: Split) -> None:
    """Refuse to leave out a part, or to keep groups together, of what is not made of samples."""
    if split.group is not None:
        raise DataError(
            "data.split: `group` keeps samples together, and neither series nor running text are made of any"
        )
    if split.train is not None:
        raise DataError(
            "data.split: `train` chooses among samples, and neither series nor running text are made of any"
        )


def _count(fraction: float, whole: int) -> int:
    return round(fraction * whole) if fraction < 1 else int(fraction)


def split_documents(samples: Samples, documents: list[str], split: Split) -> dict[str, list[str]]:
    """Return running text for train, val and test.

    Text that belongs to no split is cut by characters: the end is for test, what is before it for val. With
    `by: random`, whole documents are dealt out.
    """
    _refuse_samples(split)
    if split.by not in ("auto", "order", "random") or split.folds is not None:
        raise DataError(f"data.split: running text is split by order or random, not by {split.by} or folds")
    if split.by == "random":
        return {part: [documents[i] for i in rows] for part, rows in split_rows(samples, split, None).items()}
    assigned = samples.splits if samples.splits is not None else np.full(len(documents), "train", dtype=object)
    parts = {part: [d for d, p in zip(documents, assigned, strict=True) if p == part] for part in SPLITS}
    for part, share in (("test", split.test), ("val", split.val)):
        if not parts[part]:
            parts["train"], parts[part] = _cut_characters(parts["train"], share)
    if not parts["train"]:
        raise DataError("data.split leaves no text to train on")
    return parts


def _cut_characters(documents: list[str], fraction: float) -> tuple[list[str], list[str]]:
    """Return (kept, taken): the last characters are taken, in the middle of a document if need be."""
    kept, taken = list(documents), list[str]()
    count = _count(fraction, sum(map(len, documents)))
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
