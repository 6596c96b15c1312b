from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlx.errors import DataError
from dlx.os_errors import os_reason
from dlx.sources import Column, Samples, Source
from dlx.sources._archive import extract
from dlx.sources._download import data_folder, locate, missing_address
from dlx.sources._labels import labeled_images

if TYPE_CHECKING:
    import numpy as np

ARCHIVE = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
INNER = "cifar-10-batches-bin"
BATCHES = {**{f"data_batch_{i}.bin": "train" for i in range(1, 6)}, "test_batch.bin": "test"}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
"""Bytes of a label and its red, green and blue planes."""


class Cifar10(Source):
    """CIFAR-10: color images of 32 × 32 pixels in ten classes: 50,000 to train and 10,000 to test on.

    Looked for in `$DLX_DATA/cifar10/` (else the user's cache), as the folder `cifar-10-batches-bin` or the archive
    `cifar-10-binary.tar.gz`, which is downloaded where absent (170 MB). The version in Python pickles is never read.

    Shapes:  image (3, 32, 32), 0 … 255; ten classes.
    Raises:  DataError if a file is damaged or cannot be downloaded, or a label is not one of the ten.
    Source:  Krizhevsky 2009, Learning multiple layers of features from tiny images.

    Example:
        cifar10
    """

    type: Literal["cifar10"] = "cifar10"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        folder = self._folder()
        if not folder.is_dir():
            archive = locate(self.type, ARCHIVE, MIRRORS)["cifar-10-binary.tar.gz"]
            folder = extract(archive, data_folder(self.type) / "cifar-10-binary") / INNER
        records = [_read(folder / file) for file in BATCHES]
        splits = np.concatenate(
            [np.full(len(r), p, dtype=object) for r, p in zip(records, BATCHES.values(), strict=True)]
        )
        places = [(folder / file, len(r)) for r, file in zip(records, BATCHES, strict=True)]
        data = np.concatenate(records)
        image = Column(data[:, 1:].reshape(-1, 3, SIDE, SIDE), "CHW", "image")
        return labeled_images(image, data[:, 0], CLASSES, splits, places, on_error)

    def address(self, base: Path) -> str:
        return "" if self._folder().is_dir() else missing_address(self.type, ARCHIVE, MIRRORS)

    def files(self, base: Path) -> list[Path]:
        return [self._folder() / file for file in BATCHES]

    def _folder(self) -> Path:
        given = data_folder(self.type) / INNER
        return given if given.is_dir() else data_folder(self.type) / "cifar-10-binary" / INNER


def _read(path: Path) -> np.ndarray:
    import numpy as np

    try:
        data = np.fromfile(path, dtype="uint8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {os_reason(error)}") from None
    if not len(data) or len(data) % RECORD:
        raise DataError(f"{path}: {len(data)} bytes are not a number of records of {RECORD} bytes")
    return data.reshape(-1, RECORD)
