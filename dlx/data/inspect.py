"""Looking at data that nobody has described yet: what is in it, what to predict, and as what kind of problem.

What is found is said as a source that a recipe may write: a table, a folder of images, or a bundled data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dlx.component import leaf_class
from dlx.data.inspect_text import (
    SEVERAL_WORDS,
    TextInspection,
    inspect_parallel_text,
    inspect_running_text,
    is_running_text,
    median_words,
    relative_path,
)
from dlx.data.rows import is_missing
from dlx.errors import DataError, UsageError
from dlx.nearest import nearest
from dlx.sources import Column, Samples, Source

TARGET_NAMES = ("target", "label", "class", "y")
FEW_VALUES = 20
"""Whole numbers of at most this many values are taken for classes."""
ROWS_PER_CLASS = 5
"""With fewer rows for each value, whole numbers are taken for amounts."""
MANY_TEXTS = 0.5
"""Texts of which more than this share are different say nothing about other rows: names, dates, free text."""
LOOKED_AT = 50
"""Images that tell size and color of all."""
LARGEST_SIDE = 128
STEP = 8


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


def inspect(what: str, base: Path, target: str | None = None, pair: str | None = None) -> Inspection | TextInspection:
    """Look at a file, a folder of images, or a bundled data set; paths in the recipe are relative to `base`.

    pair  a second file of text, whose lines belong to those of the first

    Raises: UsageError if there is nothing of that name; DataError if it cannot be read as samples with a target.
    """
    path = Path(what)
    if pair is not None:
        absent = [name for name in (what, pair) if not Path(name).is_file()]
        if absent:
            raise UsageError(f"there is no file '{absent[0]}'")
        return inspect_parallel_text(path, Path(pair), base)
    if path.is_dir():
        return _inspect_source(_image_folder_source(path, base), base, target)
    if path.exists():
        return (
            inspect_running_text(path, base)
            if is_running_text(path)
            else _inspect_table(relative_path(path, base), base, target)
        )
    bundled = list(get_args(leaf_class("sources", "sklearn").model_fields["dataset"].annotation))
    if what in bundled:
        return _inspect_source({"sklearn": what}, base, target)
    near = nearest(what, bundled)
    hint = f"; did you mean {near[0]}?" if near else f"; bundled data sets are {', '.join(bundled)}"
    raise UsageError(f"there is no file or folder '{what}'{hint}")


def _load(source: Mapping[str, Any], base: Path) -> Samples:
    return Source.model_validate(source).load(base, "skip")


def _inspect_table(path: str, base: Path, wanted: str | None) -> Inspection:
    """Look at a table; what says nothing about other rows is left out of the inputs."""
    samples = _load({"table": {"path": path}}, base)
    target = _target(samples, wanted)
    texts = tuple(name for name, c in samples.columns.items() if name != target and _is_text(c))
    others = {name: c for name, c in samples.columns.items() if name not in (target, *texts)}
    ignored = {name: why for name, c in others.items() if (why := _reason_to_ignore(name, c))}
    fields: dict[str, Any] = {"path": path, "target": target}
    if ignored or texts:
        fields["types"] = dict.fromkeys(ignored, "ignore") | dict.fromkeys(texts, "text")
    if set(samples.inputs) <= {target, *ignored}:
        raise DataError(f"{path}: there is no column from which to predict '{target}'")
    return _inspection({"table": fields}, samples, target, ignored, texts)


def _inspect_source(source: dict[str, Any], base: Path, wanted: str | None) -> Inspection:
    """Look at a source that says itself what its target is."""
    samples = _load(source, base)
    if samples.target is None:
        raise DataError("the images have no classes: put those of each class into a folder of its own")
    if wanted not in (None, samples.target):
        raise UsageError(f"--target: these data have one target, '{samples.target}'")
    return _inspection(source, samples, samples.target, {})


def _target(samples: Samples, wanted: str | None) -> str:
    names = list(samples.columns)
    if wanted is None:
        usual = [name for name in names if name.strip().lower() in TARGET_NAMES]
        return (usual or names)[-1]
    if wanted not in names:
        near = nearest(wanted, names)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(names)}"
        raise UsageError(f"--target: there is no column '{wanted}'{hint}")
    return wanted


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
    if column.kind == "categorical" and len(set(present)) > max(FEW_VALUES, MANY_TEXTS * len(present)):
        return f"nearly every row has a text of its own, such as {present[0][:40]}"
    return ""


def _inspection(
    source: dict[str, Any], samples: Samples, target: str, ignored: Mapping[str, str], texts: tuple[str, ...] = ()
) -> Inspection:
    column = samples.columns[target]
    kept = ~is_missing(column)
    total = len(column) + len(samples.problems)
    classes = _classes(column, column.values[kept])
    if classes and len(classes) < 2:
        raise DataError(f"the target '{target}' is {next(iter(classes))} everywhere: there is nothing to learn")
    if len(classes) > max(100, int(kept.sum()) // 2):
        raise DataError(f"the target '{target}' has {len(classes)} different texts; choose another with --target")
    inputs = {n: c for n, c in samples.columns.items() if n in samples.inputs and n != target and n not in ignored}
    images = [c for c in inputs.values() if c.axes == "CHW"]
    return Inspection(
        source,
        target,
        "classification" if classes else "regression",
        {name: _describe(c, name in texts) for name, c in inputs.items()},
        int(kept.sum()),
        ignored,
        classes,
        tuple(images[0].values.shape[-3:]) if images else None,
        1 - int(kept.sum()) / total,
        texts,
        tuple(sorted({c.kind for name, c in inputs.items() if name not in texts and not c.axes})),
    )


def _classes(column: Column, values: Any) -> dict[str, int]:
    """Return how often each class stands, or nothing if the target is an amount."""
    if column.axes:
        return {}
    if column.kind == "numeric":
        distinct = np.unique(values)
        whole = bool((distinct == np.round(distinct)).all())
        if not whole or len(distinct) > FEW_VALUES or len(values) < ROWS_PER_CLASS * len(distinct):
            return {}
    names = [column.classes[int(v)] if column.classes else _name(v) for v in values]
    return dict(Counter(names).most_common())


def _name(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _describe(column: Column, is_text: bool = False) -> str:
    missing = is_missing(column)
    if is_text:
        return f"text, {median_words(column.values[~missing]):.0f} words in the middle"
    without = f", {int(missing.sum())} missing" if missing.any() else ""
    if column.kind == "numeric" and not column.axes:
        values = column.values[~missing]
        return f"{values.min():g} to {values.max():g}{without}"
    if column.kind == "categorical":
        counts = Counter(str(v) for v in column.values[~missing])
        shown = ", ".join(name for name, _ in counts.most_common(4))
        return f"{len(counts)} categories: {shown}{', …' if len(counts) > 4 else ''}{without}"
    return " × ".join(map(str, column.values.shape[-3:] if column.axes == "CHW" else column.values.shape[1:]))


def _image_folder_source(path: Path, base: Path) -> dict[str, Any]:
    """Describe a folder of images: their common size if they have one, else a middle one; gray if all of them are."""
    fields: dict[str, Any] = {"path": relative_path(path, base)}
    files = Source.model_validate({"image_folder": fields}).files(base)
    if not files:
        raise DataError(f"{path}: there are no images; expected {path.name}/<class>/<image>")
    sizes, gray = _image_sizes(files[:: max(1, len(files) // LOOKED_AT)])
    if len(set(sizes)) > 1:
        side = int(np.median([min(size) for size in sizes]))
        fields["size"] = [max(STEP, min(LARGEST_SIDE, round(side / STEP) * STEP))] * 2
    if gray:
        fields["channels"] = 1
    return {"image_folder": fields}


def _image_sizes(files: list[Path]) -> tuple[list[tuple[int, int]], bool]:
    from PIL import Image, UnidentifiedImageError

    sizes, modes = [], set()
    for file in files:
        try:
            with Image.open(file) as image:
                sizes.append((image.height, image.width))
                modes.add(image.mode)
        except (OSError, UnidentifiedImageError):
            continue  # the source lists it with the reason
    return sizes, bool(modes) and modes <= {"1", "L", "I;16"}
