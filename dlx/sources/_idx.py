"""The IDX format of MNIST and its relatives: a header of sizes, then bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import DataError
from dlx.sources import Column, Samples
from dlx.sources._download import locate
from dlx.sources._labels import labeled_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

UNSIGNED_BYTE = 8
LARGEST = 1 << 32
"""No data set in this format is larger: a header that claims more is damaged, or a bomb."""
PAIRS = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def read_idx(path: Path) -> np.ndarray:
    """Read one gzipped IDX file of bytes.

    Raises: DataError if it is not one, or is longer or shorter than its header says.
    """
    import numpy as np

    try:
        with gzip.open(path) as file:
            zero, kind, axes = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            size = math.prod(shape)
            if zero or kind != UNSIGNED_BYTE or not axes or size > LARGEST:
                raise DataError(f"{path}: not an IDX file of bytes")
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path}: damaged, remove it to have it downloaded anew: {error}") from None
    if len(data) != size:
        raise DataError(
            f"{path}: its header promises {size} bytes, but it has {'more' if len(data) > size else len(data)}"
        )
    return np.frombuffer(data, dtype="uint8").reshape(shape)


def load_idx(
    name: str, files: Mapping[str, str], mirrors: Sequence[str], classes: tuple[str, ...], on_error: str
) -> Samples:
    """Read the four files of MNIST or a relative: images with labels to train and to test on."""
    import numpy as np

    paths = locate(name, files, mirrors)
    images, labels, splits, places = [], [], [], []
    for split, (image_file, label_file) in PAIRS.items():
        pixels, codes = read_idx(paths[image_file]), read_idx(paths[label_file])
        if pixels.ndim != 3 or codes.ndim != 1 or len(pixels) != len(codes):
            raise DataError(f"{paths[image_file]}: {pixels.shape} images do not go with {codes.shape} labels")
        images.append(pixels[:, None])
        labels.append(codes)
        splits.append(np.full(len(codes), split, dtype=object))
        places += [(paths[label_file], len(codes))]
    column = Column(np.concatenate(images), "CHW", "image")
    return labeled_images(column, np.concatenate(labels), classes, np.concatenate(splits), places, on_error)
