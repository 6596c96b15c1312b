"""Sliding windows: the output size of a convolution by kernel, stride, padding and dilation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.tensors import Dim
from dlx.unions import single_error

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
Sizes = Annotated[
    Positive | Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=3)],
    single_error("a positive whole number, or a list with one for each spatial dimension"),
]
"""One number for all spatial dimensions, or a list with one for each."""
Padding = Annotated[
    Literal["same", "valid"]
    | NotNegative
    | Annotated[tuple[NotNegative, ...], Field(strict=False, min_length=1, max_length=3)],
    single_error("same, valid, a whole number, or a list with one for each spatial dimension"),
]
"""same, valid, or the number of zeros on each side."""


def per_axis(value: int | tuple[int, ...], n: int, what: str) -> tuple[int, ...]:
    """Return one number for each of n spatial dimensions. Raises: ShapeError if a list has another length."""
    if isinstance(value, int):
        return (value,) * n
    if len(value) != n:
        raise ShapeError(f"{what} has {len(value)} entries, but the input has {n} spatial dimensions")
    return value


def format_sizes(sizes: tuple[Dim, ...]) -> str:
    """Return sizes as text: 5×5, or 5 where there is one."""
    return "×".join("?" if s is None else str(s) for s in sizes)


@dataclass(frozen=True)
class Window:
    """A window over n spatial dimensions, every entry one a dimension; padding is on each side."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """Number of inputs that each side of the window spans, with the gaps of a dilation."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def slide(self, space: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """Return the number of window positions. Raises: ShapeError if the window is larger than the padded input."""
        padded = tuple(None if s is None else s + 2 * p for s, p in zip(space, self.padding, strict=True))
        if any(s is not None and e > s for s, e in zip(padded, self.extent, strict=True)):
            raise ShapeError(
                f"{self._describe()} does not fit a {format_sizes(space)} input" + self._with_padding(padded)
            )
        return tuple(
            None if s is None else (s - e) // step + 1
            for s, e, step in zip(padded, self.extent, self.stride, strict=True)
        )

    def _describe(self) -> str:
        kernel = str(self.kernel[0]) if len(set(self.kernel)) == 1 else format_sizes(self.kernel)
        dilated = max(self.dilation) > 1
        return f"kernel {kernel}" + (f" (spanning {format_sizes(self.extent)} with its dilation)" if dilated else "")

    def _with_padding(self, padded: tuple[Dim, ...]) -> str:
        return f" ({format_sizes(padded)} with its padding)" if any(self.padding) else ""


def make_window(
    n: int,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: str | int | tuple[int, ...],
    dilation: int | tuple[int, ...] = 1,
) -> Window:
    """Return the window of four fields for n spatial dimensions.

    `same` gives ceil(size / stride) outputs: an odd kernel is padded equally on both sides.
    Raises: ShapeError if a list has the wrong length, or `same` would need more padding after than before.
    """
    sizes = per_axis(kernel, n, "kernel")
    steps = per_axis(stride, n, "stride")
    gaps = per_axis(dilation, n, "dilation")
    if isinstance(padding, str):
        total = tuple((k - 1) * d if padding == "same" else 0 for k, d in zip(sizes, gaps, strict=True))
        if any(t % 2 for t in total):
            raise ShapeError(
                f"padding: same needs an odd kernel, but kernel is {format_sizes(sizes)}; give the padding as a number"
            )
        padding = tuple(t // 2 for t in total)
    return Window(sizes, steps, per_axis(padding, n, "padding"), gaps)
