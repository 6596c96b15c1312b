"""Image files: headers looked at, pixels decoded, within the limits that keep hostile files out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlx.errors import DataError
from dlx.sources import LazySamples

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats that are decoded; Pillow knows many more, some of them rarely tested."""
PIXELS = 1 << 26
"""An image with more pixels is refused before it is decoded."""
MODES = {1: "L", 3: "RGB"}
ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held; from `SIDEWAYS` on, width and height are exchanged."""
SIDEWAYS = 5
WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of more than 8 bits, which a conversion would clip."""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class ImageBytes:
    """An encoded image that lies in a larger file: a name to speak of it, and its bytes."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


def read_size(path: Path | ImageBytes) -> tuple[int, int]:
    """Return height and width as the header says, after orientation.

    Raises: DataError if the file is no image, is too large, or is damaged where that shows without decoding.
    """
    with _open_image(path) as image:
        if image.format == "PNG":
            image.verify()
    with _open_image(path) as image:
        width, height = image.size[::-1] if image.getexif().get(ORIENTATION, 1) >= SIDEWAYS else image.size
        return height, width


def decode(path: Path | ImageBytes, channels: int, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels as (C, H, W) bytes, resized where the image has another size.

    Raises: DataError if the file is damaged or is no image.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with _open_image(path) as image:
        upright = ImageOps.exif_transpose(image).convert(MODES[channels])
        if upright.size != size[::-1]:
            upright = upright.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(upright, dtype="uint8")
    return np.ascontiguousarray(pixels.reshape(*size, channels).transpose(2, 0, 1))


def decode_mask(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """Return the values of a picture's pixels (H, W) as they are stored: grey values, or indices into a palette.

    A picture of another size takes the nearest pixel. Raises: DataError if pixels are colours, or as `decode` does.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with _open_image(path) as image:
        if image.mode not in ("1", "L", "P"):
            raise DataError(f"{path}: its pixels are colours ({image.mode}), not numbers of classes")
        upright = ImageOps.exif_transpose(image)
        if size is not None and upright.size != size[::-1]:
            upright = upright.resize(size[::-1], Image.Resampling.NEAREST)
        codes: np.ndarray = np.array(upright, dtype="uint8")
    return codes


@contextmanager
def _open_image(path: Path | ImageBytes) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(path.data) if isinstance(path, ImageBytes) else path, formats=FORMATS) as image:
            if image.size[0] * image.size[1] > PIXELS:
                raise DataError(f"{path}: {image.size[0]} × {image.size[1]} pixels are more than {PIXELS} allowed")
            if image.mode in WIDE:
                raise DataError(f"{path}: its pixels have more than 8 bits (mode {image.mode})")
            yield image
    except UnidentifiedImageError:
        empty = not (len(path.data) if isinstance(path, ImageBytes) else path.stat().st_size)
        reason = "the file is empty" if empty else f"not an image in one of the formats {', '.join(FORMATS)}"
        raise DataError(f"{path}: {reason}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: more pixels than Pillow allows: an image bomb") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise DataError(f"{path}: a damaged image: {error}") from None


def map_files(work: Callable[[S], T], paths: Sequence[S]) -> tuple[dict[int, T], list[str]]:
    """Do some work for every file; return what succeeded by its index, and why the others failed."""

    def attempt(path: S) -> T | DataError:
        try:
            return work(path)
        except DataError as error:
            return error

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(attempt, paths))
    good = {i: outcome for i, outcome in enumerate(outcomes) if not isinstance(outcome, DataError)}
    return good, [str(outcome) for outcome in outcomes if isinstance(outcome, DataError)]


class LazyImages(LazySamples):
    """Image files that are decoded when asked for."""

    dtype = "uint8"

    def __init__(self, paths: Sequence[Path], channels: int, size: tuple[int, int]) -> None:
        self.paths = list(paths)
        self.channels = channels
        self.size = size
        self.shape = (channels, *size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        return decode(self.paths[index], self.channels, self.size)
