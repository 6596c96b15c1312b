"""From a source's samples to encoded arrays and the facts about them; everything is learned from the train split
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlx.data.encode import Target, encode_inputs, encode_target
from dlx.data.splits import split_rows
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.recipe.schema import Data
from dlx.sources import Column, Lazy, Samples


@dataclass(frozen=True)
class Prepared:
    """Data ready for batching.

    facts     what is known about them
    arrays    encoded fields by name, all rows of all splits
    rows      row numbers of each split
    problems  what was left out, and why
    """

    facts: DataFacts
    arrays: Mapping[str, Any]
    rows: Mapping[str, np.ndarray]
    problems: list[str]


def prepare(data: Data, base: Path, target_kind: str | None, seed: int) -> Prepared:
    """Load, split, learn the encodings from the train split, and encode.

    target_kind is what the task predicts: "classes", "labels", "regression", or None where nothing is.
    Raises: DataError where the data contradict the recipe.
    """
    samples = _load(data, base)
    inputs = _choose_inputs(data, samples)
    names = _choose_target(data, samples) if target_kind is not None else ()
    samples = _without_missing_targets(samples, names, data.on_error)
    _limit_problems(samples, data)
    target = encode_target([samples.columns[n] for n in names], names, target_kind) if names else Target()
    rows = split_rows(samples, data.split, target.strata, seed)
    target.check(rows)
    encoded = encode_inputs({n: samples.columns[n] for n in inputs}, rows["train"])
    arrays = {**encoded.arrays, **target.arrays}
    facts = DataFacts(
        fields={**encoded.fields, **target.described(rows["train"])},
        inputs=tuple(encoded.fields),
        target="target" if names else None,
        classes=target.classes,
        multilabel=target_kind == "labels" or target.multilabel,
        categories=encoded.categories,
        class_counts=target.class_counts(rows["train"]),
        counts={split: len(index) for split, index in rows.items()},
    )
    facts = replace(facts, fingerprint=_fingerprint(arrays, rows, data.source.files(base)))
    return Prepared(facts, arrays, rows, samples.problems)


def _load(data: Data, base: Path) -> Samples:
    samples = data.source.load(base, data.on_error)
    if not len(next(iter(samples.columns.values()))):
        raise DataError(f"{data.source.type}: there are no samples")
    _limit_problems(samples, data)
    return samples


def _limit_problems(samples: Samples, data: Data) -> None:
    """Raise DataError if more samples were left out than the recipe allows."""
    total = len(next(iter(samples.columns.values()))) + len(samples.problems)
    if len(samples.problems) > data.max_skipped * total:
        listed = "\n".join(f"  {p}" for p in samples.problems[:20])
        raise DataError(
            f"{len(samples.problems)} of {total} samples are bad, more than data.max_skipped allows:\n{listed}"
        )


def _choose_inputs(data: Data, samples: Samples) -> tuple[str, ...]:
    if data.inputs is None:
        targets = [samples.target] if data.target is None else _names(data.target)
        extra = (data.split.column,) if data.split.column else ()
        return tuple(n for n in samples.inputs if n not in targets and n not in extra)
    return tuple(_known(n, samples, "inputs") for n in data.inputs)


def _choose_target(data: Data, samples: Samples) -> tuple[str, ...]:
    if data.target is not None:
        return tuple(_known(n, samples, "target") for n in _names(data.target))
    if samples.target is None:
        raise DataError(f"data.target: which field is to be predicted? There are {', '.join(samples.columns)}")
    return (samples.target,)


def _names(target: str | list[str] | None) -> list[str]:
    return [] if target is None else [target] if isinstance(target, str) else target


def _known(name: str, samples: Samples, what: str) -> str:
    if name not in samples.columns:
        raise DataError(f"data.{what}: there is no field '{name}'; there are {', '.join(samples.columns)}")
    return name


def _without_missing_targets(samples: Samples, names: tuple[str, ...], on_error: str) -> Samples:
    """Leave out the rows that have no target, or refuse them."""
    missing = np.zeros(len(next(iter(samples.columns.values()))), dtype=bool)
    for name in names:
        missing |= is_missing(samples.columns[name])
    if not missing.any():
        return samples
    rows = np.flatnonzero(missing)
    problems = [f"row {row + 1}: the target {', '.join(names)} is missing" for row in rows]
    if on_error == "raise":
        listed = "\n".join(f"  {p}" for p in problems[:20])
        raise DataError(f"{len(rows)} rows have no target (set data.on_error: skip to leave them out):\n{listed}")
    keep = ~missing
    columns = {n: replace(c, values=c.values[keep]) for n, c in samples.columns.items()}
    parts = None if samples.parts is None else samples.parts[keep]
    return replace(samples, columns=columns, parts=parts, problems=samples.problems + problems)


def is_missing(column: Column) -> np.ndarray:
    """Return for every row whether the value is absent: NaN or None."""
    values = column.values
    if isinstance(values, Lazy):
        return np.zeros(len(values), dtype=bool)
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values.reshape(len(values), -1)).any(axis=1))
    return np.zeros(len(values), dtype=bool)


def _fingerprint(arrays: Mapping[str, Any], rows: Mapping[str, np.ndarray], files: list[Path]) -> str:
    """Return SHA-256 over the content of the arrays (of the files, where samples stay on disk) and the split."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        if isinstance(arrays[name], Lazy):
            for file in files:
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            digest.update(np.ascontiguousarray(arrays[name]).data)
    for split in sorted(rows):
        digest.update(split.encode() + rows[split].tobytes())
    return digest.hexdigest()
