"""Tensor specs: shapes, axes and dtypes without torch, the type system of recipes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Dim = int | None


@dataclass(frozen=True)
class Stats:
    """Statistics of a field over the train split, one entry for each channel or column.

    quantiles holds, for every column, equally spaced quantiles from the minimum to the maximum; naive, of a series to
    predict, by how much it differs on average from what it was one season before.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    quantiles: tuple[tuple[float, ...], ...] = ()
    missing: tuple[bool, ...] = ()
    naive: tuple[float, ...] = ()


@dataclass(frozen=True)
class TensorSpec:
    """Tensor spec: dimensions without the batch, axis names and dtype.

    dims   (1, 28, 28), None where unknown or varying
    axes   a letter each: C channels, D/H/W space, T time, F features; "CHW", "TF", "F", "T", "" for a scalar
    dtype  torch's name: float32, uint8, int64, bool
    vocab  vocabulary size of integers: one number, or one for each column
    names  the columns of a feature axis, where they have names
    stats  statistics of the train split, known for inputs only
    origin where the first row of an image is: "upper", or "lower" as the lowest frequency of a spectrogram
    context  named values that layers may read beside this tensor, such as an encoder's memory
    """

    dims: tuple[Dim, ...]
    axes: str
    dtype: str = "float32"
    vocab: tuple[int, ...] = ()
    names: tuple[str, ...] = field(default=(), compare=False)
    stats: Stats | None = field(default=None, compare=False)
    origin: Literal["upper", "lower"] = field(default="upper", compare=False)
    context: Mapping[str, TensorSpec] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.dims) != len(self.axes):
            raise ValueError(f"{len(self.dims)} dimensions but {len(self.axes)} axes: {self.dims} {self.axes!r}")

    @property
    def elements(self) -> int:
        """Number of elements of one sample; unknown dimensions count as 1."""
        return math.prod(d or 1 for d in self.dims)

    @property
    def step_axis(self) -> int | None:
        """The index of the steps of a sequence among the dimensions; None where there are none."""
        return next((i for i, axis in enumerate(self.axes) if axis in "TL"), None)

    @property
    def is_float(self) -> bool:
        """Whether elements are floating point."""
        return self.dtype.startswith(("float", "bfloat"))

    @property
    def spatial(self) -> tuple[Dim, ...]:
        """The dimensions after the channels of an image-like tensor: (28, 28) of (1, 28, 28)."""
        return self.dims[1:]

    def with_dims(self, dims: tuple[Dim, ...], axes: str | None = None) -> TensorSpec:
        """Return the spec of a float tensor of another shape, as the output of a layer."""
        return TensorSpec(dims, self.axes if axes is None else axes, self.dtype if self.is_float else "float32")

    def replace(self, **changes: Any) -> TensorSpec:
        """Return a copy with some attributes changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        if not self.dims:
            return "scalar"
        return " × ".join("?" if d is None else str(d) for d in self.dims)


Record = Mapping[str, TensorSpec]
Spec = TensorSpec | Record


def elements(x: Spec) -> int:
    """Return the number of elements of one sample, in all fields if it is a record."""
    return x.elements if isinstance(x, TensorSpec) else sum(field.elements for field in x.values())


def describe(x: Spec) -> str:
    """Say what an input is: its shape, or the names of its fields."""
    return str(x) if isinstance(x, TensorSpec) else f"the fields {', '.join(x)}"


def context_of(x: Spec) -> Mapping[str, TensorSpec]:
    """Return the context of x, the named values that its layers may read; a record's is that of its fields."""
    if isinstance(x, TensorSpec):
        return x.context
    return next((field.context for field in x.values()), {})


def with_context(x: Spec, context: Mapping[str, TensorSpec]) -> Spec:
    """Return x with another context; a record gets it in each of its fields."""
    if isinstance(x, TensorSpec):
        return x if x.context == context else x.replace(context=context)
    return {name: field.replace(context=context) for name, field in x.items()}


@dataclass(frozen=True)
class Cost:
    """Cost of a layer for one sample.

    parameters   trained numbers
    buffers      untrained numbers that are in the checkpoint
    macs         multiply-adds of matrix products and convolutions in a forward pass (half of torch's FLOP count)
    activations  elements saved for the backward pass
    unfused      further elements saved, of 32 bits at least, where no fused kernel computes the layer, as on a CPU
    """

    parameters: int = 0
    buffers: int = 0
    macs: int = 0
    activations: int = 0
    unfused: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.buffers + other.buffers,
            self.macs + other.macs,
            self.activations + other.activations,
            self.unfused + other.unfused,
        )
