from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.sources import Column, Samples, Source
from dlx.sources._archive import extract, is_archive
from dlx.sources._download import data_folder
from dlx.sources._errors import raise_or_skip
from dlx.sources._images import LazyImages, decode, map_files, read_size

if TYPE_CHECKING:
    import numpy as np

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
GIB = 1 << 30
Positive = Annotated[int, Field(gt=0)]


class ImageFolder(Source):
    """Reads images from a folder with one sub-folder for each class, or from an archive of such a folder.

    Sub-folders train, val and test may stand above the classes. Without class folders there is no target. Images that
    fit into `memory` are decoded at once, others when they are needed.

    Shapes:  image (channels, H, W), 0 … 255; resized to `size`, without which all must be equal.
    Raises:  DataError that lists the files that are empty, damaged, too large or no images.
    Source:  Pillow decodes PNG, JPEG, BMP, GIF (first frame), PPM, TIFF and WebP.

    Example:
        {type: image_folder, path: photos, size: [64, 64]}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("PIL",)
    suffixes: ClassVar[tuple[str, ...]] = (
        ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp",
    )  # fmt: skip
    type: Literal["image_folder"] = "image_folder"
    path: str
    """Folder, or zip or tar archive, with the images."""
    size: Annotated[tuple[Positive, Positive], Strict(False)] | None = None
    """Height and width to resize to."""
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for colour."""
    memory: float = Field(2.0, ge=0)
    """GiB up to which all images are kept decoded."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        root = self._root(base)
        found = _labeled_files(root)
        paths = [path for path, _, _ in found]
        if not paths:
            raise DataError(f"{root}: no images found; expected {root.name}/<class>/<image>")
        sizes, problems = map_files(read_size, paths)
        raise_or_skip(f"images in {root}", problems, on_error)
        size = self.size or _common_size(root, {paths[i]: size for i, size in sizes.items()})
        kept = [found[i] for i in sizes]
        images, good, more = self._decode_images([path for path, _, _ in kept], size, on_error)
        problems += raise_or_skip(f"images in {root}", more, on_error)
        kept = [kept[i] for i in good]
        if not kept:
            raise DataError("\n".join([f"{root}: no image can be used", *problems[:5]]))
        return _samples(Column(images, "CHW", "image"), kept, problems)

    def files(self, base: Path) -> list[Path]:
        given = base / Path(self.path).expanduser()
        return [given] if is_archive(given) else [path for path, _, _ in _labeled_files(self._root(base))]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts) -> dict[str, Column]:
        import numpy as np

        (name, *more) = facts.inputs
        spec = facts.fields[name]
        if more or spec.axes != "CHW":
            raise DataError(f"the model takes {', '.join(facts.inputs)}, not images")
        channels, size = spec.dims[0] or 1, (spec.dims[1] or 1, spec.dims[2] or 1)
        sizes, problems = map_files(read_size, paths)
        if self.size is None:
            wrong = [f"{paths[i]}: {h} × {w} pixels" for i, (h, w) in sizes.items() if (h, w) != size]
            problems += [f"{line}, but the model takes {size[0]} × {size[1]}" for line in wrong]
        raise_or_skip("images", problems, "raise")
        arrays, problems = map_files(partial(decode, channels=channels, size=size), paths)
        raise_or_skip("images", problems, "raise")
        return {name: Column(np.stack(list(arrays.values())), "CHW", "image")}

    def _root(self, base: Path) -> Path:
        given = base / Path(self.path).expanduser()
        if not given.exists():
            raise DataError(f"{given}: no such folder")
        if not is_archive(given):
            return given
        import pooch

        root = extract(given, data_folder("extracted") / pooch.file_hash(str(given))[:16])
        inner = [child for child in root.iterdir() if not child.name.startswith(("__MACOSX", "."))]
        return inner[0] if len(inner) == 1 and inner[0].is_dir() else root

    def _decode_images(
        self, paths: Sequence[Path], size: tuple[int, int], on_error: str
    ) -> tuple[Any, list[int], list[str]]:
        """Return the images, the indices of those that could be decoded, and why others could not.

        Images beyond the memory are decoded here only where bad ones are to be skipped: they cannot be left out later.
        """
        import numpy as np

        work = partial(decode, channels=self.channels, size=size)
        if len(paths) * self.channels * size[0] * size[1] <= self.memory * GIB:
            arrays, problems = map_files(work, paths)
            stacked = np.stack(list(arrays.values())) if arrays else np.empty((0, self.channels, *size), "uint8")
            return stacked, list(arrays), problems
        if on_error != "skip":
            return LazyImages(paths, self.channels, size), list(range(len(paths))), []
        fine, problems = map_files(lambda path: work(path).shape, paths)
        return LazyImages([paths[i] for i in fine], self.channels, size), list(fine), problems


def _labeled_files(root: Path) -> list[tuple[Path, str | None, str | None]]:
    """Return every image file with its split and its class."""
    if not root.is_dir():
        raise DataError(f"{root}: not a folder")
    splits = [child for child in _visible(root) if child.is_dir() and child.name.lower() in SPLITS]
    if not any(child.name.lower() == "train" for child in splits):
        return [(path, None, label) for path, label in _in_classes(root)]
    return [(path, SPLITS[split.name.lower()], label) for split in splits for path, label in _in_classes(split)]


def _in_classes(folder: Path) -> list[tuple[Path, str | None]]:
    classes = [child for child in _visible(folder) if child.is_dir()]
    if not classes:
        return [(path, None) for path in _visible(folder)]
    return [(path, child.name) for child in classes for path in sorted(child.rglob("*")) if _is_image(path)]


def _visible(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if not child.name.startswith("."))


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _common_size(root: Path, sizes: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    distinct = sorted(set(sizes.values()))
    if len(distinct) > 1:
        examples = {size: path for path, size in sizes.items()}
        lines = [f"  {height} × {width}: {examples[height, width]}" for height, width in distinct[:5]]
        heading = f"{root}: images of {len(distinct)} sizes; say which one with `size: [height, width]`"
        raise DataError("\n".join([heading, *lines]))
    return distinct[0] if distinct else (0, 0)


def _samples(image: Column, kept: list[tuple[Path, str | None, str | None]], problems: list[str]) -> Samples:
    import numpy as np

    splits = [split for _, split, _ in kept]
    belongs = np.array(splits, dtype=object) if splits[0] is not None else None
    labels = [label for _, _, label in kept]
    if any(label is None for label in labels):
        return Samples({"image": image}, ("image",), None, belongs, problems)
    classes = tuple(sorted({str(label) for label in labels}))
    codes: np.ndarray = np.array([classes.index(str(label)) for label in labels], dtype="int64")
    target = Column(codes, "", "categorical", classes)
    return Samples({"image": image, "target": target}, ("image",), "target", belongs, problems)
