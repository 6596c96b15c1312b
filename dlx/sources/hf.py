from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict

from dlx.console import echo
from dlx.errors import DataError
from dlx.files import path_from
from dlx.sources import Column, Recognition, Samples, Source
from dlx.sources._cells import category_warning, clean_cells, parse_numbers
from dlx.sources._errors import raise_or_skip
from dlx.sources._folders import SPLITS
from dlx.sources._images import ImageBytes, decode, map_files, read_size

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

SAVED_FILES = ("dataset_dict.json", "state.json")
Positive = Annotated[int, Field(gt=0)]


class Hf(Source):
    """Reads a data set of the Hugging Face hub, or one in a folder, with the `datasets` library.

    A folder may hold what `save_to_disk` wrote, or csv, json or parquet files named after their splits. Numbers,
    strings, class labels, images and vectors of one length become fields; others are left out, with a warning. Strings
    are categories, unless `types` says that they are text.

    Shapes:  image (channels, H, W), resized to `size`, without which all must be equal; one value for other columns.
    Raises:  DataError if the data set cannot be found, an image is damaged, or a target is missing.
    Source:  Lhoest et al. 2021, arXiv:2109.02846.

    Example:
        {type: hf, name: ylecun/mnist, target: label}
    """

    primary: ClassVar[str] = "name"
    extra: ClassVar[str] = "text"
    addresses: ClassVar[tuple[str, ...]] = ("name", "config", "revision")
    requires: ClassVar[tuple[str, ...]] = ("datasets",)
    type: Literal["hf"] = "hf"
    name: str
    """Name on the hub, or a folder."""
    config: str | None = None
    """Which configuration, where there are several."""
    revision: str | None = None
    """Version on the hub: a tag or a commit."""
    splits: dict[str, Literal["train", "val", "test"]] = Field(default_factory=dict)
    """What the data set's own splits are used for, where their names do not say it."""
    target: str | None = None
    """Field to predict; by default the only one with class labels."""
    types: dict[str, Literal["categorical", "text", "ignore"]] = Field(default_factory=dict)
    """What fields of strings are, which else are categories; text is cut into tokens by `data.tokenizer`."""
    size: Annotated[tuple[Positive, Positive], Strict(False)] | None = None
    """Height and width that images are resized to."""
    channels: Literal[1, 3] = 3
    """1 for gray images, 3 for color."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        saved = path.is_dir() and any((path / file).is_file() for file in SAVED_FILES)
        return Recognition(3) if saved else None

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np
        from datasets import concatenate_datasets

        sets = self._split_sets(self._open_dataset(base))
        joined = concatenate_datasets([data for data, _ in sets])
        splits = np.concatenate([np.full(len(data), split, dtype=object) for data, split in sets])
        bad: dict[int, str] = {}
        self._check_types(joined)
        used = [name for name in joined.column_names if self.types.get(name) != "ignore"]
        columns = {name: self._column(name, joined, bad) for name in used}
        known = {name: column for name, column in columns.items() if column is not None}
        target = self._target(known)
        _check_target(target, known, bad)
        known = {name: column if name == target else _missing_as_none(column) for name, column in known.items()}
        problems = raise_or_skip(f"data set {self.name}", [bad[row] for row in sorted(bad)], on_error)
        kept = np.setdiff1d(np.arange(len(joined)), list(bad))
        if not len(kept):
            raise DataError(f"data set {self.name}: no sample can be used")
        return Samples(
            {name: Column(c.values[kept], c.axes, c.kind, c.classes) for name, c in known.items()},
            tuple(name for name in known if name != target),
            target,
            splits[kept] if len(sets) > 1 else None,
            problems,
            identity={"row": np.arange(1, len(joined) + 1)[kept]},
            warnings=self._category_warnings(known, target),
        )

    def _category_warnings(self, columns: Mapping[str, Column], target: str | None) -> list[str]:
        """Return which fields are categories only because they hold strings, and may be meant as something else."""
        inferred = {n: c for n, c in columns.items() if n not in self.types and n != target and not c.classes}
        found = (category_warning(n, c.values) for n, c in inferred.items() if c.kind == "categorical")
        return [doubt for doubt in found if doubt]

    def files(self, base: Path) -> list[Path]:
        folder = path_from(base, self.name)
        return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []

    def address(self, base: Path) -> str:
        hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        return "" if (path_from(base, self.name)).is_dir() else f"{hub}/datasets/{self.name}"

    def _open_dataset(self, base: Path) -> Mapping[str, Any]:
        import datasets

        folder = path_from(base, self.name)
        if self.address(base):
            echo(f"fetching {self.address(base)}, unless it is in the cache of `datasets`", error=True, flush=True)
        try:
            if any((folder / file).is_file() for file in SAVED_FILES):
                found = datasets.load_from_disk(str(folder))
            else:
                where = str(folder) if folder.is_dir() else self.name
                found = datasets.load_dataset(where, self.config, revision=self.revision)
        except Exception as error:  # the library raises many kinds: of the network, of scripts, of files
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            place = f"in {folder}" if folder.is_dir() else f"(nor is {folder} a folder with one)"
            raise DataError(f"cannot load data set {self.name} {place}: {reason}") from None
        return found if isinstance(found, Mapping) else {"train": found}

    def _split_sets(self, found: Mapping[str, Any]) -> list[tuple[Any, str]]:
        uses: Mapping[str, str] = self.splits or {
            split: SPLITS[split.lower()] for split in found if split.lower() in SPLITS
        }
        sets = [(data, uses[split]) for split, data in found.items() if split in uses]
        absent = [split for split in self.splits if split not in found]
        if absent or not sets:
            wanted = f"has no split '{absent[0]}'" if absent else "has no split with a usual name; say `splits`"
            raise DataError(f"data set {self.name} {wanted}; it has {', '.join(found)}")
        return sets

    def _column(self, name: str, data: Any, bad: dict[int, str]) -> Column | None:
        import datasets

        feature = data.features[name]
        if isinstance(feature, datasets.Image):
            return self._image_column(name, data.cast_column(name, datasets.Image(decode=False))[name], bad)
        if isinstance(feature, datasets.ClassLabel):
            codes = [-1 if code is None else code for code in data[name]]
            return Column(_array(codes, "int64"), "", "categorical", tuple(feature.names))
        if isinstance(feature, datasets.Value):
            return _scalar_column(name, feature.dtype, data[name], self.types.get(name, "categorical"), bad)
        return self._vector_column(name, data[name], bad)

    def _check_types(self, data: Any) -> None:
        """Raise DataError if `types` says of a field what it cannot be."""
        import datasets

        for name, kind in self.types.items():
            feature = data.features.get(name)
            if feature is None:
                raise DataError(f"data set {self.name} has no field '{name}'; it has {', '.join(data.column_names)}")
            is_string = isinstance(feature, datasets.Value) and "string" in feature.dtype
            if kind != "ignore" and not is_string:
                raise DataError(f"data set {self.name}: field '{name}' holds no strings, so it is not {kind}")

    def _image_column(self, name: str, cells: Any, bad: dict[int, str]) -> Column:
        import numpy as np

        stored = [_image_bytes(f"{self.name} row {row + 1}, field '{name}'", cell) for row, cell in enumerate(cells)]
        sizes, _ = map_files(read_size, stored)
        if self.size is None and len(set(sizes.values())) > 1:
            raise DataError(
                f"data set {self.name}: images of several sizes; say which one with `size: [height, width]`"
            )
        size = self.size or next(iter(sizes.values()), (1, 1))
        arrays, problems = map_files(partial(decode, channels=self.channels, size=size), stored)
        failed = [row for row in range(len(stored)) if row not in arrays]
        bad.update(zip(failed, problems, strict=True))
        images = np.zeros((len(stored), self.channels, *size), dtype="uint8")
        for row, pixels in arrays.items():
            images[row] = pixels
        return Column(images, "CHW", "image")

    def _vector_column(self, name: str, cells: Any, bad: dict[int, str]) -> Column | None:
        import numpy as np

        try:
            values = np.asarray(list(cells), dtype="float32")
        except ValueError:
            values = np.empty(0)
        if values.ndim == 2:
            for row in np.flatnonzero(~np.isfinite(values).all(axis=1)):
                bad.setdefault(int(row), f"row {row + 1}: field '{name}' holds a number that is not finite")
            return Column(values, "F", "numeric")
        log.warning("data set %s: field '%s' is left out: neither a value nor a vector of one length", self.name, name)
        return None

    def _target(self, columns: Mapping[str, Column]) -> str | None:
        labels = [name for name, column in columns.items() if column.classes]
        if self.target is None:
            return labels[0] if len(labels) == 1 else None
        if self.target not in columns:
            raise DataError(f"data set {self.name} has no field '{self.target}'; it has {', '.join(columns)}")
        return self.target


def _array(values: list[Any], dtype: str) -> np.ndarray:
    import numpy as np

    array = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array


def _image_bytes(name: str, cell: Any) -> ImageBytes:
    if cell is None:
        return ImageBytes(name, b"")
    return ImageBytes(name, cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes())


def _scalar_column(name: str, dtype: str, cells: Any, kind: str, bad: dict[int, str]) -> Column:
    import numpy as np

    if dtype.startswith(("int", "uint", "float")):
        values, wrong = parse_numbers(clean_cells(_array(list(cells), "object"), ()))
        for row in np.flatnonzero(wrong):
            bad.setdefault(int(row), f"row {row + 1}: field '{name}' is not a finite number")
        return Column(values, "", "numeric")
    return Column(_array([None if cell is None else str(cell) for cell in cells], "object"), "", kind)


def _missing_as_none(column: Column) -> Column:
    """Labels of an input field, as strings with None where there is none; -1 stands for it in the file."""
    if not column.classes or column.values.min(initial=0) >= 0:
        return column
    names = [column.classes[code] if code >= 0 else None for code in column.values]
    return Column(_array(names, "object"), "", "categorical")


def _check_target(target: str | None, columns: Mapping[str, Column], bad: dict[int, str]) -> None:
    import pandas as pd

    if target is None:
        return
    column = columns[target]
    values = column.values
    if column.classes:
        wrong = (values < 0) | (values >= len(column.classes))
    else:
        wrong = pd.isna(values) if values.ndim == 1 else pd.isna(values).any(axis=1)
    for row in wrong.nonzero()[0]:
        bad.setdefault(int(row), f"row {row + 1}: field '{target}': the target is missing or stands for no class")
