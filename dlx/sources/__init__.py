"""Sources: where samples come from. Torch-free until samples are read in a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from dlx.component import Component, leaf_class, types
from dlx.errors import UsageError
from dlx.facts import DataFacts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Column:
    """One field of all samples, as the source has it.

    values  an array whose first axis counts samples: images (N, C, H, W) uint8, numbers (N,) or (N, D) with NaN where
            missing, strings (N,) object with None where missing; or a `Lazy` sequence that decodes one sample at a time
    axes    what the axes after the first mean: "CHW", "F", ""
    kind    "numeric", "categorical" (strings or codes), "image"
    classes names of the values of a categorical column, where the source knows them; codes index into them
    names   names of the columns of a feature axis
    """

    values: Any
    axes: str
    kind: str
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)


class Lazy(Sequence[Any]):
    """Samples that are decoded one by one, such as images on disk: `lazy[i]` is an array of `shape` and `dtype`."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Samples:
    """What a source yields.

    columns  fields by name, all of the same length
    inputs   default input fields; several numeric or categorical scalar columns together are a table
    target   default target field
    parts    "train", "val" or "test" for every row where the source itself says to which split it belongs, else None
    problems bad rows or files that were left out, each with its place and reason
    """

    columns: Mapping[str, Column]
    inputs: tuple[str, ...]
    target: str | None = None
    parts: np.ndarray | None = None
    problems: list[str] = field(default_factory=list)


class Source(Component):
    """A place where samples come from."""

    family = "sources"
    suffixes: ClassVar[tuple[str, ...]] = ()
    """How the names of files end from which the source can read inputs by themselves."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        """Read all samples. Paths are relative to `base`, the folder of the recipe.

        Raises: DataError that lists every bad row, file or cell, unless `on_error` is "skip": then they are left out
        and listed in `problems`.
        """
        raise NotImplementedError

    def files(self, base: Path) -> list[Path]:
        """Return the files that the samples are made of, for the data's fingerprint; none where numbers make them."""
        return []

    def at(self, path: Path) -> Self:
        """Return the same source with another file or folder in place of its own. Raises: UsageError if it has none."""
        if self.primary != "path":
            raise UsageError(f"the data come from '{self.type}', which reads no file that another could replace")
        return self.model_copy(update={"path": str(path.absolute())})

    def inputs_from(self, paths: Sequence[Path], facts: DataFacts) -> dict[str, Column]:
        """Read the inputs that facts name, and no target, from files whose names end in one of `suffixes`."""
        raise UsageError(f"'{self.type}' cannot read inputs from {paths[0]}")


def reader_of(suffix: str, own: Source) -> Source | None:
    """Return a source that reads files with this suffix: a recipe's own one if it can."""
    if suffix in own.suffixes:
        return own
    for name in types("sources"):
        leaf = cast(type[Source], leaf_class("sources", name))
        if suffix in leaf.suffixes and leaf.primary is not None:
            return leaf.model_validate({"type": name, leaf.primary: "."})
    return None
