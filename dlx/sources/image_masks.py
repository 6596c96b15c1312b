from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.facts import IGNORED, DataFacts
from dlx.files import path_from
from dlx.sources import Column, NewInputs, Recognition, Samples, Source
from dlx.sources._decoding import Decoder, decode_files
from dlx.sources._errors import raise_or_skip
from dlx.sources._folders import SPLITS, visible_files
from dlx.sources._images import IMAGE_SUFFIXES, common_size, map_files, read_images, read_size

if TYPE_CHECKING:
    import numpy as np

RARE = 1e-3
"""Share of all pixels below which a value is no class that anyone meant, where many are so rare."""
Positive = Annotated[int, Field(gt=0)]
Value = Annotated[int, Field(ge=0, le=255)]


class ImageMasks(Source):
    """Images and, for each, a mask with the class of every pixel, from two folders with files of the same names.

    The value of a mask's pixel is a class index: 0 is the first of `classes`. Without `classes`, the values that stand
    in the masks are the classes, in their order (0 and 255 in black-and-white masks). Pixels of a value in `ignore`
    have no class. Folders train, val and test may stand above the two. Masks are resized by the nearest pixel, so that
    no class is invented.

    Shapes:  image (channels, H, W), 0 … 255; the target is a mask (H, W).
    Raises:  DataError that lists files without a partner or with several, of another size than it, damaged, in a lossy
             format, or with a value that stands for no class.

    Example:
        {type: image_masks, path: cells, size: [64, 64], classes: [background, cell]}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("PIL",)
    suffixes: ClassVar[tuple[str, ...]] = IMAGE_SUFFIXES
    type: Literal["image_masks"] = "image_masks"
    path: str
    """Folder that holds both folders, or folders train, val and test which do."""
    images: str = "images"
    """Name of the folder with images."""
    masks: str = "masks"
    """Name of the folder with masks."""
    classes: Annotated[tuple[str, ...], Strict(False)] = ()
    """Names of the classes, in the order of their numbers."""
    ignore: Value | Annotated[tuple[Value, ...], Strict(False)] | None = None
    """Value of pixels without a class, or several, such as 255: neither trained on nor measured."""
    size: Annotated[tuple[Positive, Positive], Strict(False)] | None = None
    """Height and width to resize to; null where all images have one size."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for color."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        folders = (
            [path, *(child for child in visible_files(path) if child.name.lower() in SPLITS)] if path.is_dir() else []
        )
        both = any((folder / "images").is_dir() and (folder / "masks").is_dir() for folder in folders)
        return Recognition(3, "segmentation") if both else None

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        pairs, problems = self._pairs(base)
        sizes, bad = map_files(_pair_size, pairs)
        size = self.size or common_size({pairs[i].image: s for i, s in sizes.items()})
        pairs = [pairs[i] for i in sizes]
        images = decode_files(self._decoder("image", size), [pair.image for pair in pairs])
        masks = decode_files(self._decoder("mask", size), [pair.mask for pair in pairs])
        good = sorted(set(images.good) & set(masks.good))
        reasons = zip(good, map(self._unknown_value, masks.of(good), (pairs[i] for i in good)), strict=True)
        strange = {i: text for i, text in reasons if text}
        problems += [*bad, *images.problems, *masks.problems, *strange.values()]
        raise_or_skip(f"images and masks in {self.path}", problems, on_error)
        kept = [i for i in good if i not in strange]
        if not kept:
            raise DataError("\n".join([f"{self.path}: no images found in {self.images}/", *problems[:5]]))
        target, inferred, warnings = self._target(masks.of(kept))
        columns = {"image": Column(images.of(kept), "CHW", "image"), "target": target}
        splits = [pairs[i].split for i in kept]
        return Samples(
            columns,
            ("image",),
            "target",
            np.array(splits, dtype=object) if splits[0] else None,
            problems,
            identity={"file": np.array([str(pairs[i].image) for i in kept], dtype=object)},
            inferred=inferred,
            warnings=warnings,
        )

    def files(self, base: Path) -> list[Path]:
        return [file for pair in self._pairs(base)[0] for file in (pair.image, pair.mask)]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        (name,) = facts.inputs
        return read_images(paths, name, facts.fields[name], resize=True)

    def _decoder(self, name: str, size: tuple[int, int]) -> Decoder:
        if name == "mask":
            return Decoder(name, {"size": list(size)}, size)
        return Decoder(name, {"channels": self.channels, "size": list(size)}, (self.channels, *size))

    def _ignore_values(self) -> tuple[int, ...]:
        return () if self.ignore is None else (self.ignore,) if isinstance(self.ignore, int) else self.ignore

    def _pairs(self, base: Path) -> tuple[list[_Pair], list[str]]:
        root = path_from(base, self.path)
        inner = visible_files(root) if root.is_dir() else []
        splits = [(child, SPLITS[child.name.lower()]) for child in inner if child.name.lower() in SPLITS]
        folders = [(child, split) for child, split in splits if (child / self.images).is_dir()] or [(root, "")]
        pairs: list[_Pair] = []
        problems: list[str] = []
        for folder, split in folders:
            images, masks = (_files_by_stem(folder / name, problems) for name in (self.images, self.masks))
            pairs += [_Pair(images[name], masks[name], split) for name in images if name in masks]
            problems += [f"{images[name]}: there is no mask of this name" for name in images if name not in masks]
            problems += [f"{masks[name]}: there is no image of this name" for name in masks if name not in images]
        return pairs, problems

    def _unknown_value(self, values: np.ndarray, pair: _Pair) -> str:
        """Return which pixel of a mask has a value that stands for no class; "" if none has."""
        import numpy as np

        limit = len(self.classes) or 256
        wrong = (values >= limit) & ~np.isin(values, self._ignore_values())
        if not wrong.any():
            return ""
        row, column = divmod(int(wrong.argmax()), values.shape[1])
        return (
            f"{pair.mask}: row {row + 1}, column {column + 1} has value {values[row, column]}, but there are {limit} "
            f"classes, 0 … {limit - 1}; if it marks pixels without a class, say `ignore: {values[row, column]}`"
        )

    def _target(self, values: np.ndarray) -> tuple[Column, list[str], list[str]]:
        """Return the class indices of all pixels, how the classes were found, and why they may be others."""
        import numpy as np

        ignored = self._ignore_values()
        if self.classes:
            codes = np.where(np.isin(values, ignored), IGNORED, values.astype(np.int64))
            return Column(codes, "HW", "categorical", self.classes), [], []
        counts = np.bincount(values.reshape(-1), minlength=256)
        counts[list(ignored)] = 0
        found = np.flatnonzero(counts)
        code = np.full(256, IGNORED, dtype=np.int64)
        code[found] = np.arange(len(found))
        names = tuple(str(value) for value in found)
        inferred = f"classes are the values in the masks: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
        return Column(code[values], "HW", "categorical", names), [inferred], _class_warnings(counts)


@dataclass(frozen=True)
class _Pair:
    """An image, its mask, and the split that it belongs to, or an empty word."""

    image: Path
    mask: Path
    split: str


def _files_by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Return the files of a folder by their names without suffix; names that several have are problems."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    groups: dict[str, list[Path]] = {}
    for path in visible_files(folder):
        if path.is_file():
            groups.setdefault(path.stem, []).append(path)
    for name, paths in groups.items():
        if len(paths) > 1:
            files = " and ".join(path.name for path in paths)
            problems.append(f"{folder}: {files} have one name: which of them is {name}?")
    return {name: paths[0] for name, paths in groups.items() if len(paths) == 1}


def _class_warnings(counts: np.ndarray) -> list[str]:
    """Return why the values in masks may not be classes: many are rare, or one marks what has none."""
    found = [value for value, count in enumerate(counts) if count]
    rare = [value for value in found if counts[value] < RARE * counts.sum()]
    if len(rare) > max(2, len(found) // 2):
        return [
            f"masks hold {len(found)} values, of which {len(rare)} are rare: were they saved in a lossy format, or "
            "resized with smoothing? Name the classes with `classes`"
        ]
    if len(found) > 2 and found[-1] == 255 and found[-2] < 250:
        return ["value 255 in masks often marks pixels without a class: if so, say `ignore: 255`"]
    return []


def _pair_size(pair: _Pair) -> tuple[int, int]:
    image, mask = read_size(pair.image), read_size(pair.mask)
    if image != mask:
        raise DataError(f"{pair.mask}: {mask[0]} × {mask[1]} pixels, but its image has {image[0]} × {image[1]}")
    return image
