"""Sources: where samples come from. Torch-free until samples are read in a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from dlx.component import Component, leaf_class, types
from dlx.errors import UsageError
from dlx.facts import DataFacts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Column:
    """One field of all samples, as the source has it.

    values  an array whose first axis counts samples: images (N, C, H, W) uint8, numbers (N,) or (N, D) with NaN where
            missing, strings (N,) object with None where missing; or `LazySamples`, decoded one at a time; or `Spans`,
            sequences in one long array
    axes    what the axes after the first mean: "CHW", "F", "TF", "T" for codes of tokens, ""
    kind    "numeric", "categorical" (strings or codes), "image", "text" (strings that a tokenizer cuts)
    classes names of the values of a categorical column, where the source knows them; codes index into them
    names   names of the columns of a feature axis
    origin  where the first row of an image is: at its upper or at its lower edge
    """

    values: Any
    axes: str
    kind: str
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    origin: Literal["upper", "lower"] = "upper"

    def __len__(self) -> int:
        return len(self.values)


class LazySamples(Sequence[Any]):
    """Samples that are decoded one by one, such as images on disk: `lazy[i]` is an array of `shape` and `dtype`."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Spans(Sequence[Any]):
    """Sequences of any length that lie in one long array: sample i is `values[starts[i] : starts[i] + lengths[i]]`.

    Spans may overlap, so that windows of a series take no more memory than the series, and `values` may be a file that
    is mapped into memory. Indexing with rows gives other spans of the same values.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, sequences: Sequence[np.ndarray]) -> Spans:
        """Lay sequences end to end."""
        import numpy as np

        lengths = np.array([len(s) for s in sequences], dtype=np.int64)
        return cls(np.concatenate(sequences), np.cumsum(lengths) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: Any) -> Any:
        start, length = self.starts[index], self.lengths[index]
        return Spans(self.values, start, length) if start.ndim else self.values[start : start + length]

    @property
    def length(self) -> int | None:
        """The length that all have, None where they differ."""
        return int(self.lengths[0]) if len(self) and (self.lengths == self.lengths[0]).all() else None

    def values_in_spans(self) -> np.ndarray:
        """Return the values that lie in at least one span, each once."""
        covered: np.ndarray = self.values[self.covered_indices()]
        return covered

    def covered_indices(self) -> np.ndarray:
        """Return at which places of `values` there is a value that lies in at least one span."""
        import numpy as np

        change = np.zeros(len(self.values) + 1, dtype=np.int64)
        np.add.at(change, self.starts, 1)
        np.add.at(change, self.starts + self.lengths, -1)
        found: np.ndarray = np.flatnonzero(np.cumsum(change[:-1]) > 0)
        return found


@dataclass(frozen=True)
class TextBlocks:
    """How running text becomes samples: every `stride` tokens begins a block of `length`; the target is the block that
    begins one token later.
    """

    length: int
    stride: int


@dataclass(frozen=True)
class Samples:
    """What a source yields.

    columns  fields by name, all of the same length
    inputs   default input fields; several numeric or categorical scalar columns together are a table
    target   default target field
    splits    "train", "val" or "test" for every row where the source itself says to which split it belongs, else None
    problems bad rows or files that were left out, each with its place and reason
    blocks   for a language model: rows are documents of running text, of which blocks of tokens become the samples
    time     (N, 2): when the target of each sample begins and has ended, in whole steps. Then a split is by time, and
             no moment is in the targets of two splits.
    season   steps after which a series repeats; no series begins less than a season before its first target
    identity what tells each sample apart, by name, such as its file, its row, or its series and moment
    left_out columns that no network sees, by which samples may still be grouped or told apart
    inferred how the source read its files where nothing was said: separators, headers, kinds of columns, splits
    warnings what was inferred and may be wrong
    """

    columns: Mapping[str, Column]
    inputs: tuple[str, ...]
    target: str | None = None
    splits: np.ndarray | None = None
    problems: list[str] = field(default_factory=list)
    blocks: TextBlocks | None = None
    time: np.ndarray | None = None
    season: int = 1
    identity: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, Column] = field(default_factory=dict)
    inferred: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NewInputs:
    """Inputs of samples to predict.

    columns   fields by name
    identity  what tells each sample apart, by name
    warnings  what may be wrong with them
    sizes     height and width of each image before it was resized
    """

    columns: Mapping[str, Column]
    identity: Mapping[str, list[Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Recognition:
    """How a source would read a file or folder that nobody has described.

    certainty  1 where it may be one of its own, 2 where it looks like it, 3 where it can hardly be anything else
    task       what the data are for; "" where the target decides
    fields     the source's fields, but for the path
    """

    certainty: int
    task: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


class Source(Component):
    """A place where samples come from."""

    family = "sources"
    suffixes: ClassVar[tuple[str, ...]] = ()
    """How the names of files end from which the source can read inputs by themselves."""
    tokenizer: ClassVar[Any] = "word"
    """What cuts its text where the recipe does not say, in any spelling of a tokenizer."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        """Return how the source would read a file or folder, None where it is none of its own."""
        return None

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        """Read all samples. Paths are relative to `base`, the folder of the recipe.

        Raises: DataError that lists every bad row, file or cell, unless `on_error` is "skip": then they are left out
        and listed in `problems`.
        """
        raise NotImplementedError

    def address(self, base: Path) -> str:
        """Return the address from which what is not on this computer is fetched; "" where nothing has to be."""
        return ""

    def memory_bytes(self) -> int:
        """Return the bytes that generated samples take at least; 0 where they come from files."""
        return 0

    def files(self, base: Path) -> list[Path]:
        """Return the files that the samples are made of, for the data's fingerprint; none where numbers make them."""
        return []

    def with_path(self, path: Path) -> Self:
        """Return the same source with another file or folder in place of its own. Raises: UsageError if it has none."""
        if self.primary != "path":
            raise UsageError(f"the data come from '{self.type}', which reads no file that another could replace")
        return self.evolve("path", str(path.absolute()))

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        """Read the inputs that facts name, and no target, from files whose names end in one of `suffixes`.

        keep  other columns of the files, which are to stand beside the predictions
        """
        raise UsageError(f"'{self.type}' cannot read inputs from {paths[0]}")


def source_for_suffix(suffix: str, own: Source) -> Source | None:
    """Return a source that reads files with this suffix: a recipe's own one if it can."""
    if suffix in own.suffixes:
        return own
    for name in types("sources"):
        leaf = cast(type[Source], leaf_class("sources", name))
        if suffix in leaf.suffixes and _required_fields(leaf) == [leaf.primary]:
            return leaf.model_validate({"type": name, leaf.primary: "."})
    return None


def _required_fields(leaf: type[Source]) -> list[str]:
    return [name for name, field in leaf.model_fields.items() if field.is_required()]
