"""Leaks: what makes a result better than it will be on new data. Equal samples in train and test, and columns that say
the target or which row it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from dlx.data.rows import is_missing, row_keys
from dlx.sources import Column

SHARED = 0.01
"""Fraction of a split's samples that are in train too, from which on it is said."""
DISTINCT = 0.1
"""Where fewer samples than this fraction are distinct, equal ones are chance, as in a table of a few categories."""
ROWS = 50
"""Fewer rows say nothing of a column."""
NEAR = 2e-3
"""Largest difference of a sum from the target, in standard deviations of the target, that rounding explains."""
MAX_SUMMANDS, MAX_ROWS = 60, 10_000
"""Columns of numbers among which sums are sought, and rows by which they are."""
MAX_BYTES = 1 << 30
"""Samples that take more memory are not compared with one another."""
NUMBERS = re.compile(r"[\d.,:/\-+T $€£%]*")
"""Texts that are numbers or dates, which identify nothing."""
PER_CLASS = 5
"""Rows of each class that a column must name alone, to be taken for the target under another name."""
MAX_NAMED = 5


def find_leaks(inputs: Mapping[str, Column], target: Mapping[str, Column], rows: Mapping[str, np.ndarray]) -> list[str]:
    """Return a warning for every leak that is found, each with what to write."""
    scalars = {name: column for name, column in inputs.items() if column.axes == "" and column.kind != "text"}
    found = _shared_rows(inputs, rows)
    identifiers = [name for name, column in scalars.items() if is_identifier(name, column)]
    if identifiers:
        shown = ", ".join(identifiers[:MAX_NAMED])
        found.append(
            f"column {shown}: each row has a value of its own, which says nothing of other rows: leave it out with "
            f"`types: {{{identifiers[0]}: ignore}}`"
        )
    if len(target) == 1:
        (column,) = target.values()
        others = {name: c for name, c in scalars.items() if name not in identifiers}
        found += _find_target_copies(others, column, next(iter(target)))
    return found


def _shared_rows(inputs: Mapping[str, Column], rows: Mapping[str, np.ndarray]) -> list[str]:
    """Return a warning where samples of val or test are equal to samples of train."""
    if not len(rows["val"]) and not len(rows["test"]):
        return []
    if sum(getattr(column.values, "nbytes", 0) for column in inputs.values()) > MAX_BYTES:
        return []
    keys = row_keys(inputs)
    if keys is None or len(keys) < ROWS:
        return []
    names, counts = np.unique(keys, return_counts=True)
    if len(names) < DISTINCT * len(keys):
        return []
    train = np.unique(keys[rows["train"]])
    shared = {part: int(np.isin(keys[rows[part]], train).sum()) for part in ("test", "val")}
    worst = [
        f"{n:,} of {len(rows[part]):,} {part} samples" for part, n in shared.items() if n > SHARED * len(rows[part])
    ]
    if not worst:
        return []
    repeated = int((counts > 1).sum())
    return [
        f"{repeated:,} samples stand in the data more than once; {' and '.join(worst)} are equal to samples of train: "
        "write `split: {deduplicate: true}`, or `split: {group: COLUMN}` with the column whose values belong together"
    ]


def is_identifier(name: str, column: Column) -> bool:
    """Say whether a column tells rows apart and nothing else: a running number, or a word for each row."""
    values = column.values[~is_missing(column)]
    distinct = len(set(values.tolist()))
    if len(values) < ROWS or distinct < len(values) / 2 or column.classes:
        return False
    if column.kind == "numeric":
        numbers = values.astype("float64")
        whole = bool((numbers == np.round(numbers)).all())
        running = whole and numbers.max() - numbers.min() + 1 <= 1.1 * distinct
        return whole and (bool(running) or _has_identifier_name(name))
    words = [str(value) for value in values]
    if any(len(word.split()) != 1 for word in words) or all(NUMBERS.fullmatch(word) for word in words):
        return False
    return distinct > 0.9 * len(words) / _repeats(values)


def _repeats(values: np.ndarray) -> float:
    """Return how often a value stands in the middle: rows that stand twice have their identifiers twice."""
    _, counts = np.unique(values.astype(str), return_counts=True)
    return float(np.median(counts))


def _has_identifier_name(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return bool({"id", "index", "key", "uuid", "nr", "no", "number"} & set(words)) or name.lower().endswith("id")


def _find_target_copies(columns: Mapping[str, Column], target: Column, name: str) -> list[str]:
    if target.kind == "numeric" and target.axes == "" and len(set(target.values[: 10 * ROWS].tolist())) > MAX_NAMED:
        return _sums(columns, target, name)
    if target.axes != "" or isinstance(target.values, (list, tuple)) or target.kind not in ("categorical", "numeric"):
        return []
    named = [c for c, column in columns.items() if _contains_class_names(column, target)]
    return (
        [f"{', '.join(named)} says {name} under another name: leave it out, or it is all that is learned"]
        if named
        else []
    )


def _sums(columns: Mapping[str, Column], target: Column, name: str) -> list[str]:
    """Return a warning where a column is the target in another unit, or columns add up to it."""
    some = np.unique(np.linspace(0, len(target) - 1, MAX_ROWS).astype(int))
    numbers = {n: c.values[some].astype("float64") for n, c in columns.items() if c.kind == "numeric"}
    y = target.values[some].astype("float64")
    whole = ~np.isnan(y)
    numbers = {n: v for n, v in numbers.items() if not np.isnan(v[whole]).any() and v[whole].std() > 0}
    if whole.sum() < ROWS or not 0 < len(numbers) <= MAX_SUMMANDS or y[whole].std() == 0:
        return []
    y, scale = y[whole], y[whole].std()
    copies = [
        n for n, v in numbers.items() if _fits(np.stack([v[whole], np.ones(len(y))], axis=1), y, scale) is not None
    ]
    if copies:
        return [f"{', '.join(copies)} is the target {name}, perhaps in another unit: leave it out"]
    names = list(numbers)
    found = _fits(np.stack([numbers[n][whole] for n in names], axis=1), y, scale)
    if found is None:
        return []
    factors = {n: float(f) for n, f in zip(names, found, strict=True) if abs(f) > 1e-4}
    if not factors or any(abs(abs(f) - 1) > 1e-4 for f in factors.values()):
        return []
    text = " ".join(f"{'+' if f > 0 else '-'} {n}" for n, f in factors.items()).removeprefix("+ ")
    return [f"{text} = {name}: these columns add up to the target; leave out those that are not known before it"]


def _fits(columns_NF: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray | None:
    """Return the factors with which columns add up to y exactly, None where they do not."""
    found: np.ndarray = np.linalg.lstsq(columns_NF, y, rcond=None)[0]
    return found if abs(columns_NF @ found - y).max() <= NEAR * scale else None


def _contains_class_names(column: Column, target: Column) -> bool:
    """Say whether every value of a column stands for one class alone, and every class for one value."""
    values = [str(value) for value in column.values]
    classes = [str(value) for value in target.values]
    pairs = set(zip(values, classes, strict=True))
    many = len(classes) >= PER_CLASS * max(1, len(pairs))
    return many and 1 < len(pairs) == len(set(values)) == len(set(classes))
