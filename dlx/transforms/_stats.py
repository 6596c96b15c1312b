"""Statistics of a field, and how they change with it. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import pairwise

from dlx.errors import ShapeError
from dlx.tensors import Stats, TensorSpec


def channel_axis(x: TensorSpec) -> int | None:
    """Return the axis that has one entry of statistics each (channels, columns); None if there is only one."""
    for letter in "CF":
        if letter in x.axes:
            return x.axes.index(letter)
    return None


def channels(x: TensorSpec) -> int | None:
    """Return how many entries the statistics of a field have, None if its channels are unknown."""
    axis = channel_axis(x)
    return 1 if axis is None else x.dims[axis]


def broadcast_shape(x: TensorSpec, entries: int) -> tuple[int, ...]:
    """Return the shape in which one entry a channel stretches over a batch: (1, 3, 1, 1) for a color image."""
    axis = channel_axis(x)
    shape = [1] * (len(x.dims) + 1)
    if axis is not None:
        shape[axis + 1] = entries
    return tuple(shape)


def per_channel(values: float | Sequence[float], x: TensorSpec, what: str) -> tuple[float, ...]:
    """Return one value a channel from a number or a list. Raises: ShapeError if a list has another length."""
    expected = channels(x) or 1
    if isinstance(values, (int, float)):
        return (float(values),) * expected
    if len(values) == 1:
        return (float(values[0]),) * expected
    if len(values) != expected:
        raise ShapeError(f"{what} has {len(values)} numbers, but the input has {expected} channels ({x})")
    return tuple(float(v) for v in values)


def check_numeric(x: TensorSpec, what: str) -> TensorSpec:
    """Return x. Raises: ShapeError if its values are codes of categories, with which one does not calculate."""
    if x.vocab:
        raise ShapeError(f"{what} takes numbers, but this field holds codes of categories; use one_hot or embed it")
    return x


def as_float(x: TensorSpec) -> TensorSpec:
    """Return what comes out when values are calculated with: integers become float32, statistics are kept."""
    return x if x.is_float else x.replace(dtype="float32")


def affine_stats(stats: Stats | None, factor: Sequence[float], shift: Sequence[float]) -> Stats | None:
    """Return the statistics of factor·x + shift, one factor and shift a channel; a negative factor swaps the ends."""
    if stats is None:
        return None
    low = _each(stats.low, factor, shift)
    high = _each(stats.high, factor, shift)
    return Stats(
        mean=_each(stats.mean, factor, shift),
        std=_each(stats.std, [abs(f) for f in factor], [0.0] * len(shift)),
        low=tuple(map(min, low, high)) if high else low,
        high=tuple(map(max, low, high)) if low else high,
        quantiles=tuple(
            tuple(sorted(q * f + s for q in qs)) for qs, f, s in zip(stats.quantiles, factor, shift, strict=False)
        ),
        missing=stats.missing,
    )


def monotone_stats(stats: Stats | None, function: Callable[[float], float]) -> Stats | None:
    """Return the statistics of a rising function of x.

    Ends and quantiles move along. Mean and deviation are those of the moved quantiles, joined by straight lines; they
    are unknown where there are no quantiles.
    """
    if stats is None:
        return None
    quantiles = tuple(tuple(map(function, qs)) for qs in stats.quantiles)
    moments = [_moments(qs) for qs in quantiles]
    return Stats(
        mean=tuple(mean for mean, _ in moments),
        std=tuple(std for _, std in moments),
        low=tuple(map(function, stats.low)),
        high=tuple(map(function, stats.high)),
        quantiles=quantiles,
        missing=stats.missing,
    )


def mixture_stats(stats: Stats | None, value: float, share: float) -> Stats | None:
    """Return the statistics when a share of all values is replaced by, or added as, one constant."""
    if stats is None:
        return None
    mean = tuple((1 - share) * m + share * value for m in stats.mean)
    second = [
        (1 - share) * (s * s + m * m) + share * value * value for m, s in zip(stats.mean, stats.std, strict=False)
    ]
    return Stats(
        mean=mean,
        std=tuple(math.sqrt(max(0.0, s - m * m)) for s, m in zip(second, mean, strict=False)),
        low=tuple(min(v, value) for v in stats.low),
        high=tuple(max(v, value) for v in stats.high),
        missing=stats.missing,
    )


def repeat_stats(stats: Stats | None, inner: int, outer: int = 1) -> Stats | None:
    """Return the statistics when every channel becomes several with the same ones.

    Each is repeated `inner` times on the spot, and the whole list `outer` times.
    """
    if stats is None:
        return None
    names = [f.name for f in fields(stats)]
    return Stats(**{n: tuple(v for v in getattr(stats, n) for _ in range(inner)) * outer for n in names})


def _moments(quantiles: Sequence[float]) -> tuple[float, float]:
    """Return mean and deviation of a variable whose quantile function joins these points by straight lines."""
    pairs = list(pairwise(quantiles))
    mean = sum((a + b) / 2 for a, b in pairs) / len(pairs)
    variance = sum(((a - mean) ** 2 + (a - mean) * (b - mean) + (b - mean) ** 2) / 3 for a, b in pairs) / len(pairs)
    return mean, math.sqrt(variance)


def _each(values: Sequence[float], factor: Sequence[float], shift: Sequence[float]) -> tuple[float, ...]:
    return tuple(v * f + s for v, f, s in zip(values, factor, shift, strict=False))
