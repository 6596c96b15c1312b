from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.sources import Column, Samples, Source
from dlx.sources._errors import raise_or_skip
from dlx.sources._images import decode, decode_mask, map_files, read_size

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "val", "test")
Positive = Annotated[int, Field(gt=0)]


class ImageMasks(Source):
    """Reads images and, for each, a mask with the class of every pixel, from two folders with files of the same names.

    The value of a mask's pixel is a number of a class: 0 is the first of `classes`. Without `classes`, the values that
    stand in the masks are the classes, in their order (0 and 255 in black-and-white masks). Folders train, val and test
    may stand above the two. Masks are resized by the nearest pixel, so that no class is invented.

    Shapes:  image (channels, H, W), 0 … 255; the target is a mask (H, W).
    Raises:  DataError that lists files without a partner, of another size than it, damaged, or with a value that stands
             for no class.

    Example:
        {type: image_masks, path: cells, size: [64, 64], classes: [background, cell]}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("PIL",)
    type: Literal["image_masks"] = "image_masks"
    path: str
    """Folder that holds both folders, or folders train, val and test which do."""
    images: str = "images"
    """Name of the folder with images."""
    masks: str = "masks"
    """Name of the folder with masks."""
    classes: Annotated[tuple[str, ...], Strict(False)] = ()
    """Names of the classes, in the order of their numbers."""
    size: Annotated[tuple[Positive, Positive], Strict(False)] | None = None
    """Height and width to resize to; null where all images have one size."""
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for colour."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        pairs, problems = self._pairs(base)
        sizes, bad = map_files(_pair_size, pairs)
        size = self.size or _common_size({pairs[i].image: s for i, s in sizes.items()})
        good, worse = map_files(partial(self._decode_pair, size=size), [pairs[i] for i in sizes])
        problems = raise_or_skip(f"images and masks in {self.path}", [*problems, *bad, *worse], on_error)
        if not good:
            raise DataError("\n".join([f"{self.path}: no images found in {self.images}/", *problems[:5]]))
        pixels, values = (np.stack(arrays) for arrays in zip(*good.values(), strict=True))
        kept = [pairs[list(sizes)[i]] for i in good]
        splits = np.array([pair.split for pair in kept], dtype=object) if kept[0].split else None
        columns = {"image": Column(pixels, "CHW", "image"), "target": self._target(values)}
        return Samples(columns, ("image",), "target", splits, problems)

    def files(self, base: Path) -> list[Path]:
        return [file for pair in self._pairs(base)[0] for file in (pair.image, pair.mask)]

    def _pairs(self, base: Path) -> tuple[list[_Pair], list[str]]:
        root = base / Path(self.path).expanduser()
        splits = [split for split in SPLITS if (root / split / self.images).is_dir()]
        folders = [(root / split, split) for split in splits] or [(root, "")]
        pairs: list[_Pair] = []
        problems: list[str] = []
        for folder, split in folders:
            images, masks = _by_name(folder / self.images), _by_name(folder / self.masks)
            pairs += [_Pair(images[name], masks[name], split) for name in images if name in masks]
            problems += [f"{images[name]}: there is no mask of this name" for name in images if name not in masks]
            problems += [f"{masks[name]}: there is no image of this name" for name in masks if name not in images]
        return pairs, problems

    def _decode_pair(self, pair: _Pair, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        values = decode_mask(pair.mask, size)
        limit = len(self.classes) or 256
        if values.max() >= limit:
            row, column = divmod(int((values >= limit).argmax()), values.shape[1])
            raise DataError(
                f"{pair.mask}: row {row + 1}, column {column + 1} has value {values[row, column]}, "
                f"but there are {limit} classes, 0 … {limit - 1}"
            )
        return decode(pair.image, self.channels, size), values

    def _target(self, values: np.ndarray) -> Column:
        import numpy as np

        if self.classes:
            return Column(values.astype(np.int64), "HW", "categorical", self.classes)
        found, codes = np.unique(values, return_inverse=True)
        return Column(codes.reshape(values.shape).astype(np.int64), "HW", "categorical", tuple(str(v) for v in found))


@dataclass(frozen=True)
class _Pair:
    """An image, its mask, and the split that it belongs to, or an empty word."""

    image: Path
    mask: Path
    split: str


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    return {p.stem: p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")}


def _pair_size(pair: _Pair) -> tuple[int, int]:
    image, mask = read_size(pair.image), read_size(pair.mask)
    if image != mask:
        raise DataError(f"{pair.mask}: {mask[0]} × {mask[1]} pixels, but its image has {image[0]} × {image[1]}")
    return image


def _common_size(sizes: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    examples = {size: path for path, size in sizes.items()}
    if len(examples) > 1:
        lines = [f"  {height} × {width}: {path}" for (height, width), path in sorted(examples.items())[:5]]
        raise DataError("\n".join(["images of several sizes; say which one with `size: [height, width]`", *lines]))
    return next(iter(examples), (0, 0))
