"""Predicted masks as PNG files: one for every image, of its own size, with the values that masks of training have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import UsageError
from dlx.files import output_file

if TYPE_CHECKING:
    from dlx.engine.inference.predictions import Predictions


def write_masks(found: Predictions, folder: Path) -> list[Path]:
    """Write each image's mask into a folder, under the image's name. Raises: UsageError if there are no masks."""
    from PIL import Image

    if found.masks is None or "file" not in found.columns:
        raise UsageError(f"{folder}: the run predicts no masks of image files; name a table, such as predictions.csv")
    values = pixel_values(found.classes)
    written = []
    for name, mask, size in zip(_names(found.columns["file"]), found.masks, found.sizes, strict=True):
        path = folder / f"{name}.png"
        image = Image.fromarray(values[mask])
        with output_file(path):
            image.resize(size[::-1], Image.Resampling.NEAREST).save(path)
        written.append(path)
    return written


def pixel_values(classes: tuple[str, ...]) -> np.ndarray:
    """Return the value of each class's pixels: its name where that is one, else its number."""
    if all(name.isdigit() and int(name) < 256 for name in classes):
        return np.array([int(name) for name in classes], dtype=np.uint8)
    return np.arange(len(classes), dtype=np.uint8)


def _names(files: list[str]) -> list[str]:
    """Return a name for the mask of every file: without its suffix, unless another file has the same name then."""
    stems = [Path(file).stem for file in files]
    names = [stem if stems.count(stem) == 1 else Path(file).name for stem, file in zip(stems, files, strict=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"several images are called {twice[0]}: predict them one folder at a time")
    return names
