"""Inspection of data that nobody has described yet: what is in them, what to predict, and by which task.

Sources recognize their own files and folders; what is found is a source as a recipe writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dlx.component import leaf_class
from dlx.data.inspect_text import (
    SEVERAL_WORDS,
    TextInspection,
    inspect_parallel_text,
    inspect_running_text,
    median_words,
    relative_path,
)
from dlx.data.leaks import DISTINCT, ROWS, find_leaks, is_identifier
from dlx.data.recognize import image_fields, recognize
from dlx.data.rows import count_rows, is_missing, row_keys
from dlx.data.targets import class_name
from dlx.errors import DataError, UsageError
from dlx.nearest import nearest
from dlx.sources import Column, Samples, Source, Spans

TARGET_NAMES = ("target", "label", "class", "y")
FEW_VALUES = 20
"""Whole numbers of at most this many values are taken for classes."""
ROWS_PER_CLASS = 5
"""With fewer rows for each value, whole numbers are taken for amounts."""
MANY_TEXTS = 0.5
"""Texts of which more than this share are different say nothing about other rows: names, dates, free text."""


@dataclass(frozen=True)
class Inspection:
    """What was found out about data.

    source    the source as a recipe writes it
    target    the name of what is predicted
    task      "classification" or "regression"
    inputs    every input column in words
    ignored   columns that are left out, each with the reason
    rows      how many samples there are
    classes   how often each class stands, the most frequent first
    image     channels, height and width, if the samples are images
    bad       share of the samples that cannot be used
    texts     input columns that hold text
    tables    what other columns of a table make: numeric, categorical
    splits    the splits that the source itself names
    warnings  what may be wrong with the data
    guessed   whether the target was not named
    repeated  how many samples stand more than once
    sequences whether inputs are sequences of numbers
    """

    source: dict[str, Any]
    target: str
    task: str
    inputs: Mapping[str, str]
    rows: int
    ignored: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    image: tuple[int, ...] | None = None
    bad: float = 0.0
    texts: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    unit: str = "samples"
    splits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    guessed: bool = False
    repeated: int = 0
    sequences: bool = False


def inspect(
    what: str,
    base: Path,
    target: str | None = None,
    pair: str | None = None,
    task: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Inspection | TextInspection:
    """Look at a file, a folder, or a bundled data set, as the source reads it that recognizes it best.

    Paths in the recipe are relative to `base`.

    pair     a second file of text, whose lines belong to those of the first
    task     what the data are for, where they may be for several
    options  fields of the source that are known, such as `header` and `encoding`

    Raises: UsageError if there is nothing of that name; DataError if it cannot be read as samples with a target.
    """
    path = Path(what)
    if pair is not None:
        absent = [name for name in (what, pair) if not Path(name).is_file()]
        if absent:
            raise UsageError(f"there is no file '{absent[0]}'")
        return inspect_parallel_text(path, Path(pair), base)
    if path.exists():
        name, found = recognize(path, task)
        if name == "text":
            return inspect_running_text(path, base)
        if name == "table":
            return _inspect_table(relative_path(path, base), base, target, task, options or {})
        fields = {"path": relative_path(path, base), **found.fields, **(options or {})}
        if found.task == "forecasting" and target is not None:
            fields["target"] = target
        return _inspect_source({name: fields | image_fields(name, fields, base)}, base, found.task, target)
    bundled = list(get_args(leaf_class("sources", "sklearn").model_fields["dataset"].annotation))
    if what in bundled:
        return _inspect_source({"sklearn": what}, base, "", target)
    near = nearest(what, bundled)
    hint = f"; did you mean {near[0]}?" if near else f"; bundled data sets are {', '.join(bundled)}"
    raise UsageError(f"there is no file or folder '{what}'{hint}")


def _load(source: Mapping[str, Any], base: Path) -> Samples:
    return Source.model_validate(source).load(base, "skip")


def _inspect_table(
    path: str, base: Path, wanted: str | None, task: str | None, options: Mapping[str, Any]
) -> Inspection:
    """Look at a table; what says nothing about other rows is left out of the inputs."""
    mentioned = {"target": wanted} if wanted is not None else {}
    samples = _load_target(path, base, mentioned, options)
    target = _target(samples, wanted)
    texts = tuple(name for name, c in samples.columns.items() if name != target and _is_text(c))
    others = {name: c for name, c in samples.columns.items() if name not in (target, *texts)}
    ignored = {name: why for name, c in others.items() if (why := _reason_to_ignore(name, c))}
    fields: dict[str, Any] = {"path": path, **options, "target": target}
    if ignored or texts:
        fields["types"] = dict.fromkeys(ignored, "ignore") | dict.fromkeys(texts, "text")
    if set(samples.inputs) <= {target, *ignored}:
        raise DataError(f"{path}: there is no column from which to predict '{target}'")
    found = _inspection({"table": fields}, samples, target, task or "", ignored, texts)
    inputs = {n: c for n, c in samples.columns.items() if n != target and n not in ignored}
    leaks = find_leaks(inputs, {target: samples.columns[target]}, _no_splits(samples))
    return replace(found, warnings=(*found.warnings, *leaks), guessed=wanted is None, repeated=_count_repeats(inputs))


def _load_target(path: str, base: Path, mentioned: Mapping[str, Any], options: Mapping[str, Any]) -> Samples:
    """Load a table. Raises: UsageError if it has no column of the target's name."""
    try:
        return _load({"table": {"path": path, **options, **mentioned}}, base)
    except DataError as error:
        if mentioned and "has no column" in str(error):
            raise UsageError(f"--target: {error}") from None
        raise


def _no_splits(samples: Samples) -> dict[str, np.ndarray]:
    none = np.array([], dtype=int)
    return {"train": np.arange(count_rows(samples)), "val": none, "test": none}


def _count_repeats(inputs: Mapping[str, Column]) -> int:
    """Return how many samples stand more than once, where that is not by chance."""
    keys = row_keys(inputs)
    if keys is None or len(keys) < ROWS:
        return 0
    _, counts = np.unique(keys, return_counts=True)
    return int((counts > 1).sum()) if len(counts) > DISTINCT * len(keys) else 0


def _inspect_source(source: dict[str, Any], base: Path, task: str, wanted: str | None) -> Inspection:
    """Look at a source that says itself what its target is."""
    samples = _load(source, base)
    if samples.target is None:
        raise DataError("the samples have no classes: put those of each class into a folder of its own")
    if wanted not in (None, samples.target) and task != "forecasting":
        raise UsageError(f"--target: these data have one target, '{samples.target}'")
    return _inspection(source, samples, samples.target, task, {})


def _target(samples: Samples, wanted: str | None) -> str:
    """Return the column to predict: the one that is asked for, one of a usual name, or the last that is possible."""
    if wanted is not None:
        return wanted
    names = list(samples.columns)
    usual = [name for name in names if name.strip().lower() in TARGET_NAMES]
    possible = [name for name in names if not _reason_to_ignore(name, samples.columns[name])]
    telling = [name for name in possible if not _has_unique_values(samples.columns[name])]
    return (usual or telling or possible or names)[-1]


def _has_unique_values(column: Column) -> bool:
    """Say whether a column holds categories none of which occurs twice, as messages and names are."""
    present = [v for v in column.values if v is not None]
    return column.kind == "categorical" and len(set(present)) == len(present)


def _is_text(column: Column) -> bool:
    """Say whether a column holds sentences: nearly each its own, and of several words."""
    if column.kind != "categorical" or column.classes:
        return False
    present = [v for v in column.values if v is not None]
    return len(set(present)) > max(FEW_VALUES, MANY_TEXTS * len(present)) and median_words(present) >= SEVERAL_WORDS


def _reason_to_ignore(name: str, column: Column) -> str:
    """Say why a column cannot tell anything about other rows; "" if it can."""
    present = [str(v) for v in column.values[~is_missing(column)]]
    if not present:
        return "it is empty"
    if len(set(present)) == 1 and len(present) == len(column):
        return f"it is {present[0]} everywhere"
    number = name.lower() in ("id", "index", "") or name.lower().endswith("_id")
    if column.kind == "numeric" and number and len(set(present)) == len(column):
        return "it numbers the rows"
    if not column.classes and is_identifier(name, column):
        return "each row has a value of its own, as an identifier has"
    if column.kind == "categorical" and len(set(present)) > max(FEW_VALUES, MANY_TEXTS * len(present)):
        return f"nearly every row has a text of its own, such as {present[0][:40]}"
    return ""


def _inspection(
    source: dict[str, Any],
    samples: Samples,
    target: str,
    task: str,
    ignored: Mapping[str, str],
    texts: tuple[str, ...] = (),
) -> Inspection:
    column = samples.columns[target]
    kept = ~is_missing(column)
    total = len(column) + len(samples.problems)
    classes = {} if task == "regression" else _classes(column, column.values[kept], task == "classification")
    if len(classes) == 1:
        raise DataError(f"the target '{target}' is {next(iter(classes))} everywhere: there is nothing to learn")
    if len(classes) > max(100, int(kept.sum()) // 2) and not task:
        raise DataError(f"the target '{target}' has {len(classes)} different texts; choose another with --target")
    inputs = {n: c for n, c in samples.columns.items() if n in samples.inputs and n != target and n not in ignored}
    images = [c for c in inputs.values() if c.axes == "CHW"]
    return Inspection(
        source,
        target,
        task or ("classification" if classes else "regression"),
        {name: _describe(c, name in texts) for name, c in inputs.items()},
        int(kept.sum()),
        ignored,
        classes,
        tuple(images[0].values.shape[-3:]) if images else None,
        1 - int(kept.sum()) / total,
        texts,
        tuple(sorted({c.kind for name, c in inputs.items() if name not in texts and not c.axes})),
        splits=() if samples.splits is None else tuple(sorted(set(samples.splits))),
        warnings=tuple(samples.warnings),
        sequences=any(c.axes == "TF" for c in inputs.values()),
    )


def _classes(column: Column, values: Any, asked: bool = False) -> dict[str, int]:
    """Return how often each class stands, or nothing if the target is an amount, unless classes are asked for."""
    if column.axes:
        return {}
    if column.kind == "numeric" and not asked:
        distinct = np.unique(values.astype("float64"))
        whole = bool((distinct == np.round(distinct)).all())
        if not whole or len(distinct) > FEW_VALUES or len(values) < ROWS_PER_CLASS * len(distinct):
            return {}
    names = [column.classes[int(v)] if column.classes else class_name(v) for v in values]
    return dict(Counter(names).most_common())


def _describe(column: Column, is_text: bool = False) -> str:
    missing = is_missing(column)
    if is_text:
        return f"text, median {median_words(column.values[~missing]):.0f} words"
    without = f", {int(missing.sum())} missing" if missing.any() else ""
    if column.kind == "numeric" and not column.axes:
        values = column.values[~missing]
        return f"{values.min():g} to {values.max():g}{without}"
    if column.kind == "categorical":
        counts = Counter(str(v) for v in column.values[~missing])
        shown = ", ".join(name for name, _ in counts.most_common(4))
        return f"{len(counts)} categories: {shown}{', …' if len(counts) > 4 else ''}{without}"
    if isinstance(column.values, Spans):
        steps = sorted({int(column.values.lengths.min()), int(column.values.lengths.max())})
        return f"sequences of {' to '.join(map(str, steps))} steps"
    return " × ".join(map(str, column.values.shape[-3:] if column.axes == "CHW" else column.values.shape[1:]))
