"""Image files: headers looked at, pixels decoded, within the limits that keep hostile files out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlx.errors import DataError
from dlx.sources import Column, LazySamples, NewInputs
from dlx.sources._errors import raise_or_skip
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp")
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
    """Return the values of a mask's pixels (H, W) as they are stored: gray values, or indices into a palette.

    A mask of another size takes the nearest pixel. Raises: DataError if pixels are colors, the format is lossy, or as
    `decode` does.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with _open_image(path) as image:
        if image.format == "JPEG" or image.info.get("compression") == "jpeg":
            raise DataError(f"{path}: JPEG changes values, so that a mask in it holds no classes: save masks as PNG")
        if image.mode not in ("1", "L", "P"):
            raise DataError(f"{path}: its pixels are colors ({image.mode}), not class indices")
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


def read_images(paths: Sequence[Path], name: str, spec: TensorSpec, resize: bool) -> NewInputs:
    """Return images as an input of this shape: resized to it, or of its size already.

    Raises: DataError that lists the files that are damaged or of another size.
    """
    import numpy as np

    channels, size = spec.dims[0] or 1, (spec.dims[1] or 1, spec.dims[2] or 1)
    sizes, problems = map_files(read_size, paths)
    if not resize:
        wrong = [f"{paths[i]}: {h} × {w} pixels" for i, (h, w) in sizes.items() if (h, w) != size]
        problems += [f"{line}, but the model takes {size[0]} × {size[1]}" for line in wrong]
    raise_or_skip("images", problems, "raise")
    arrays, problems = map_files(partial(decode, channels=channels, size=size), paths)
    raise_or_skip("images", problems, "raise")
    return NewInputs({name: Column(np.stack(list(arrays.values())), "CHW", "image")}, sizes=tuple(sizes.values()))


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


def common_size(sizes: dict[Path, tuple[int, int]], place: str = "") -> tuple[int, int]:
    """Return the one size of images. Raises: DataError if there are several, with an example of each."""
    examples = {size: path for path, size in reversed(sizes.items())}
    if len(examples) > 1:
        lines = [f"  {height} × {width}: {path}" for (height, width), path in sorted(examples.items())[:5]]
        heading = f"{place}images of {len(examples)} sizes; say which one with `size: [height, width]`"
        raise DataError("\n".join([heading, *lines]))
    return next(iter(examples), (0, 0))
