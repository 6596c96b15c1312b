"""Images with classes: by codes in a file, of which every one must stand for a class, or by the folders they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.sources import Column, Samples
from dlx.sources._errors import raise_or_skip
from dlx.sources._folders import LabeledFiles

if TYPE_CHECKING:
    import numpy as np


def labeled_images(
    image: Column,
    codes: np.ndarray,
    classes: tuple[str, ...],
    splits: np.ndarray | None,
    places: Sequence[tuple[Path, int]],
    on_error: str,
) -> Samples:
    """Return images with their classes; `places` are the files of labels, in order, each with its number of rows.

    Raises: DataError that lists every row whose code stands for no class.
    """
    import numpy as np

    wrong = (codes < 0) | (codes >= len(classes))
    rows = [f"{path}: row {row}" for path, count in places for row in range(count)] if wrong.any() else []
    allowed = f"there are {len(classes)} classes, 0 … {len(classes) - 1}"
    problems = [f"{rows[i]} has label {codes[i]}, but {allowed}" for i in wrong.nonzero()[0]]
    raise_or_skip("labels without a class", problems, on_error)
    kept = np.flatnonzero(~wrong) if wrong.any() else slice(None)
    target = Column(codes[kept].astype("int64"), "", "categorical", classes)
    columns = {"image": Column(image.values[kept], image.axes, image.kind), "target": target}
    return Samples(columns, ("image",), "target", splits if splits is None else splits[kept], problems)


def labeled_samples(
    image: Column, kept: Sequence[tuple[Path, str | None, str | None]], problems: list[str], found: LabeledFiles
) -> Samples:
    """Return images with the classes and splits of the folders they lie in; without classes there is no target."""
    import numpy as np

    paths, splits, labels = zip(*kept, strict=True)
    target = {}
    if all(label is not None for label in labels):
        classes = tuple(sorted(set(labels)))
        code = {name: i for i, name in enumerate(classes)}
        codes = np.array([code[label] for label in labels], dtype="int64")
        target = {"target": Column(codes, "", "categorical", classes)}
    return Samples(
        {"image": image, **target},
        ("image",),
        "target" if target else None,
        None if splits[0] is None else np.array(splits, dtype=object),
        problems,
        identity={"file": np.array([str(path) for path in paths], dtype=object)},
        inferred=found.inferred,
        warnings=found.warnings,
    )
