from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import path_from
from dlx.sources import Column, NewInputs, Recognition, Samples, Source
from dlx.sources._archive import extract, is_archive
from dlx.sources._decoding import Decoder, decode_files
from dlx.sources._download import data_folder
from dlx.sources._errors import raise_or_skip
from dlx.sources._folders import labeled_files, suffix_share
from dlx.sources._images import IMAGE_SUFFIXES, LazyImages, common_size, map_files, read_images, read_size
from dlx.sources._labels import labeled_samples

GIB = 1 << 30
Positive = Annotated[int, Field(gt=0)]


class ImageFolder(Source):
    """Image folder: images in one sub-folder for each class, or in an archive of such a folder.

    Folders train, val and test (or training, validation, testing …) may stand above the classes. Without class folders
    there is no target. Images that fit into `memory` are decoded once, into a file of the cache that later commands
    map into memory; others are decoded whenever they are needed.

    Shapes:  image (channels, H, W), 0 … 255; resized to `size`, without which all must be equal.
    Raises:  DataError that lists the files that are empty, damaged, too large or no images.
    Source:  Pillow decodes PNG, JPEG, BMP, GIF (first frame), PPM, TIFF and WebP.

    Example:
        {type: image_folder, path: photos, size: [64, 64]}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "vision"
    requires: ClassVar[tuple[str, ...]] = ("PIL",)
    suffixes: ClassVar[tuple[str, ...]] = IMAGE_SUFFIXES
    type: Literal["image_folder"] = "image_folder"
    path: str
    """Folder, or zip or tar archive, with the images."""
    size: Annotated[tuple[Positive, Positive], Strict(False)] | None = None
    """Height and width to resize to."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for color."""
    memory: float = Field(2.0, ge=0)
    """GiB up to which all images together are kept decoded."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        if path.is_file():
            return Recognition(2, "classification") if is_archive(path) else None
        return Recognition(2 if suffix_share(path, cls.suffixes) > 0.5 else 1, "classification")

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        root = self._root(base)
        found = labeled_files(root)
        if not found.files:
            raise DataError(f"{root}: no images found; expected {root.name}/<class>/<image>")
        files, problems, size = found.files, list[str](), self.size
        if size is None:
            sizes, problems = map_files(read_size, [path for path, _, _ in files])
            raise_or_skip(f"images in {root}", problems, on_error)
            size = common_size({files[i][0]: size for i, size in sizes.items()}, f"{root}: ")
            files = [files[i] for i in sizes]
        images, good, more = self._decode([path for path, _, _ in files], size, on_error)
        problems += raise_or_skip(f"images in {root}", more, on_error)
        if not good:
            raise DataError("\n".join([f"{root}: no image can be used", *problems[:5]]))
        return labeled_samples(Column(images, "CHW", "image"), [files[i] for i in good], problems, found)

    def files(self, base: Path) -> list[Path]:
        given = path_from(base, self.path)
        return [given] if is_archive(given) else [path for path, _, _ in labeled_files(self._root(base)).files]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        (name, *more) = facts.inputs
        if more or facts.fields[name].axes != "CHW":
            raise DataError(f"the model takes {', '.join(facts.inputs)}, not images")
        return read_images(paths, name, facts.fields[name], resize=self.size is not None)

    def _root(self, base: Path) -> Path:
        given = path_from(base, self.path)
        if not given.exists():
            raise DataError(f"{given}: no such folder")
        if not is_archive(given):
            return given
        import pooch

        root = extract(given, data_folder("extracted") / pooch.file_hash(str(given))[:16])
        inner = [child for child in root.iterdir() if not child.name.startswith(("__MACOSX", "."))]
        return inner[0] if len(inner) == 1 and inner[0].is_dir() else root

    def _decode(self, paths: Sequence[Path], size: tuple[int, int], on_error: str) -> tuple[Any, list[int], list[str]]:
        """Return the images, the indices of those that could be decoded, and why others could not.

        Images beyond `memory` are decoded here only where bad ones are to be skipped: they cannot be left out later.
        """
        decoder = Decoder("image", {"channels": self.channels, "size": list(size)}, (self.channels, *size))
        if len(paths) * self.channels * size[0] * size[1] <= self.memory * GIB:
            decoded = decode_files(decoder, paths)
            return decoded.arrays, decoded.good, decoded.problems
        check = read_size if on_error != "skip" else lambda path: decoder(path).shape
        good, problems = map_files(check, paths)
        return LazyImages([paths[i] for i in good], self.channels, size), list(good), problems
