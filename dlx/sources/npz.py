from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from dlx.errors import DataError
from dlx.files import path_from
from dlx.sources import Column, Recognition, Samples, Source
from dlx.sources._cells import EXACT
from dlx.sources._errors import raise_or_skip

if TYPE_CHECKING:
    import numpy as np

COLORS = (1, 3, 4)
"""Numbers of channels by which an image's channel axis is told from its space."""


USUAL_NAMES = {
    "x": ("x", "X", "x_train", "X_train", "images", "inputs", "data", "features", "arr_0"),
    "y": ("y", "Y", "y_train", "Y_train", "labels", "targets", "target", "label", "arr_1"),
    "x_test": ("x_test", "X_test"),
    "y_test": ("y_test", "Y_test"),
}
"""How arrays of inputs and targets are called."""


class Npz(Source):
    """NumPy arrays from a file of `np.savez`.

    `axes` says what the axes of x mean after the first, which counts samples. auto takes bytes for images and other
    numbers for features.

    Shapes:  x (F,), (T, F) or (C, H, W), into which HW and HWC are turned; y a number, a vector or a class.
    Raises:  DataError if an array is absent, holds Python objects, or has another length; if a number is not finite;
             if a label stands for no class.
    Source:  numpy.load, without pickles.

    Example:
        {type: npz, path: digits.npz, x: images, y: labels}
    """

    primary: ClassVar[str] = "path"
    type: Literal["npz"] = "npz"
    path: str
    """The file."""
    x: str = "x"
    """Name of the array of inputs."""
    y: str | None = "y"
    """Name of the array of targets; null where there are none."""
    x_test: str | None = None
    """Name of the array of inputs to test on."""
    y_test: str | None = None
    """Name of the array of targets to test on."""
    axes: Literal["auto", "", "F", "T", "TF", "HW", "CHW", "HWC"] = "auto"
    """What the axes of x mean after the first."""
    classes: tuple[str, ...] = Field((), strict=False)
    """Names of the classes that whole numbers in y stand for, from 0."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        if path.suffix.lower() != ".npz":
            return None
        names = _array_names(path)
        chosen = {field: next((n for n in known if n in names), None) for field, known in USUAL_NAMES.items()}
        if chosen["x"] is None:
            raise DataError(f"{path}: which of the arrays {', '.join(names)} holds the inputs? Write a recipe with `x`")
        test = {field: name for field, name in chosen.items() if field.endswith("_test") and name is not None}
        return Recognition(3, "", {"x": chosen["x"], "y": chosen["y"], **(test if len(test) == 2 else {})})

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        (path,) = self.files(base)
        names = [name for name in (self.x, self.y, self.x_test, self.y_test) if name is not None]
        arrays = _read(path, names)
        x = _concatenate(path, arrays, self.x, self.x_test)
        columns = {"x": self._inputs(path, x)}
        if self.y is not None:
            columns["y"] = self._target(path, _concatenate(path, arrays, self.y, self.y_test))
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise DataError(f"{path}: arrays of different lengths: {lengths}")
        bad = self._bad_rows(columns)
        problems = [f"{path}: row {row + 1} of {text}" for row, text in sorted(bad.items())]
        raise_or_skip(f"cannot use {self.path}", problems, on_error)
        kept = np.setdiff1d(np.arange(len(x)), list(bad)) if bad else slice(None)
        splits = None
        if self.x_test is not None:
            splits = np.where(np.arange(len(x)) < len(arrays[self.x]), "train", "test").astype(object)[kept]
        columns = {name: Column(c.values[kept], c.axes, c.kind, c.classes) for name, c in columns.items()}
        identity = {"row": np.arange(len(x))[kept]}
        inferred = [f"{path.name}: x has axes '{columns['x'].axes}'"] if self.axes == "auto" else []
        target = "y" if "y" in columns else None
        return Samples(columns, ("x",), target, splits, problems, identity=identity, inferred=inferred)

    def with_path(self, path: Path) -> Self:
        return super().with_path(path).evolve_all({"x_test": None, "y_test": None})

    def files(self, base: Path) -> list[Path]:
        return [path_from(base, self.path)]

    def _inputs(self, path: Path, x: np.ndarray) -> Column:
        if x.dtype.kind in "US":
            raise DataError(f"{path}: '{self.x}' holds text, and inputs are numbers; write text as a table")
        axes = _guess_axes(path, x) if self.axes == "auto" else self.axes
        if x.ndim != 1 + len(axes):
            raise DataError(f"{path}: '{self.x}' has {x.ndim - 1} axes after the first, but `axes` says '{axes}'")
        if axes == "HW":
            x, axes = x[:, None], "CHW"
        if axes == "HWC":
            x, axes = x.transpose(0, 3, 1, 2), "CHW"
        image = axes == "CHW" and x.dtype == "uint8"
        return Column(x if image else x.astype("float32"), axes, "image" if image else "numeric")

    def _target(self, path: Path, y: np.ndarray) -> Column:
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.dtype.kind in "US":
            return Column(_decode_labels(path, str(self.y), y), "", "categorical")
        if self.classes and y.ndim == 1:
            return Column(y.astype("int64"), "", "categorical", self.classes)
        exact = y.ndim == 1 and y.dtype.kind in "iu" and len(y) and max(abs(int(y.min())), abs(int(y.max()))) >= EXACT
        return Column(y if exact else y.astype("float64"), "F" if y.ndim == 2 else "", "numeric")

    def _bad_rows(self, columns: Mapping[str, Column]) -> dict[int, str]:
        """Return what is wrong with rows: numbers that are not finite, labels that stand for no class.

        NaN is a missing value in a table and in the target; what is missing in an image or a series, nothing fills in.
        """
        bad = dict(_not_finite(self.x, columns["x"], missing=columns["x"].axes in ("", "F")))
        if "y" not in columns:
            return bad
        y = columns["y"]
        bad = {**_not_finite(str(self.y), y, missing=True), **bad}
        if y.classes:
            wrong = ((y.values < 0) | (y.values >= len(y.classes))).nonzero()[0]
            bad |= {int(i): f"{self.y} has label {y.values[i]}, but there are {len(y.classes)} classes" for i in wrong}
        return bad


def _not_finite(name: str, column: Column, missing: bool) -> dict[int, str]:
    """Return the rows with an infinite number, or with NaN unless that means that a value is missing."""
    import numpy as np

    if column.values.dtype.kind != "f":
        return {}
    rows = column.values.reshape(len(column), -1)
    infinite, absent = np.isinf(rows).any(axis=1), np.isnan(rows).any(axis=1) & (not missing)
    wrong = (infinite | absent).nonzero()[0]
    return {int(i): f"{name} is {'infinite' if infinite[i] else 'not a number'}" for i in wrong}


def _array_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as file:
            return [name.removesuffix(".npy") for name in file.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not arrays that np.savez saved: {error}") from None


def _read(path: Path, names: list[str]) -> Mapping[str, np.ndarray]:
    import numpy as np

    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: one array without a name; save it with np.savez")
        with loaded as file:
            absent = [name for name in names if name not in file]
            if absent:
                raise DataError(f"{path} has no array '{absent[0]}'; it has {', '.join(file.files)}")
            return {name: file[name] for name in names}
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as arrays of numbers: {error}") from None


def _decode_labels(path: Path, name: str, y: np.ndarray) -> np.ndarray:
    import numpy as np

    try:
        labels: np.ndarray = (np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y).astype(object)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: '{name}' holds bytes that are no text in UTF-8: {error.object!r}") from None
    return labels


def _concatenate(path: Path, arrays: Mapping[str, np.ndarray], name: str, test: str | None) -> np.ndarray:
    import numpy as np

    pieces = [arrays[name]] + ([arrays[test]] if test is not None else [])
    if any(not piece.ndim or piece.dtype.kind not in "biufUS" for piece in pieces):
        raise DataError(f"{path}: '{name}' is not an array of numbers or strings with one entry for each sample")
    if len({piece.shape[1:] for piece in pieces}) > 1:
        raise DataError(f"{path}: '{name}' and '{test}' have samples of different shapes")
    if not sum(map(len, pieces)):
        raise DataError(f"{path}: '{name}' has no samples")
    return np.concatenate(pieces)


def _guess_axes(path: Path, x: np.ndarray) -> str:
    if x.ndim <= 2:
        return "F"[: x.ndim - 1]
    if x.ndim == 3:
        return "HW" if x.dtype == "uint8" else "TF"
    if x.ndim == 4 and (x.shape[-1] in COLORS) != (x.shape[1] in COLORS):
        return "HWC" if x.shape[-1] in COLORS else "CHW"
    raise DataError(f"{path}: samples of shape {x.shape[1:]}: say what their axes mean with `axes`")
