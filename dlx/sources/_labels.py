"""Images with class codes: every code must stand for a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.sources import Column, Samples
from dlx.sources._errors import raise_or_skip

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
