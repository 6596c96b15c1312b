"""Recognition of files and folders: which source reads them best, and of which size and color images are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from dlx.component import leaf_class, types
from dlx.errors import DataError, UsageError
from dlx.sources import Recognition, Source

OF_ANY_TARGET = ("classification", "regression")
"""Tasks of data whose target decides between them."""
LOOKED_AT = 50
"""Images that tell size and color of all."""
LARGEST_SIDE = 128
STEP = 8


def recognize(path: Path, task: str | None) -> tuple[str, Recognition]:
    """Return the source that recognizes a file or folder best. Raises: UsageError if none does, or not for the task."""
    asked = {name: cast(type[Source], leaf_class("sources", name)).recognize(path) for name in types("sources")}
    found = {name: how for name, how in asked.items() if how is not None}
    fitting = {n: how for n, how in found.items() if task is None or task in (how.task or OF_ANY_TARGET)}
    if not found:
        raise UsageError(f"no source recognizes {path}; `dlx list sources` shows what there is")
    if not fitting:
        tasks = sorted({how.task or "classification" for how in found.values()})
        raise UsageError(f"--task: {path} is not read for {task}; it looks like data for {', '.join(tasks)}")
    best = max(fitting, key=lambda name: fitting[name].certainty)
    return best, fitting[best]


def image_fields(name: str, fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return size and channels of images: their common size if they have one, else a medium one; gray if all are."""
    leaf = leaf_class("sources", name)
    if not {"size", "channels"} <= set(leaf.model_fields):
        return {}
    files = Source.model_validate({name: fields}).files(base)
    if not files:
        raise DataError(f"{fields['path']}: there are no images; expected {Path(fields['path']).name}/<class>/<image>")
    if name == "image_masks":
        files = files[::2]
    sizes, gray = _image_sizes(files[:: max(1, len(files) // LOOKED_AT)])
    found: dict[str, Any] = {}
    if len(set(sizes)) > 1:
        side = int(np.median([min(size) for size in sizes]))
        found["size"] = [max(STEP, min(LARGEST_SIDE, round(side / STEP) * STEP))] * 2
    return {**found, **({"channels": 1} if gray else {})}


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
