from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform
from dlx.transforms._stats import channel_axis, repeat_stats

if TYPE_CHECKING:
    from torch import Tensor


class Flatten(Transform):
    """Flattens a sample to one row of features.

    What a network of linear layers takes for images. The statistics of a channel become those of each of its pixels.

    Shapes:  (C, H, W) → (C·H·W,), and so on for any axes; the last axis runs fastest.
    Raises:  ShapeError if a dimension is unknown.

    Example:
        {type: flatten}
    """

    type: Literal["flatten"] = "flatten"

    def spec(self, x: TensorSpec) -> TensorSpec:
        if None in x.dims:
            raise ShapeError(f"flatten needs to know every dimension, but gets {x}")
        axis = channel_axis(x)
        inner = x.elements if axis is None else math.prod(d or 1 for d in x.dims[axis + 1 :])
        outer = 1 if axis is None else math.prod(d or 1 for d in x.dims[:axis])
        vocab = tuple(v for v in x.vocab for _ in range(inner)) * outer
        return TensorSpec((x.elements,), "F", x.dtype, vocab=vocab, stats=repeat_stats(x.stats, inner, outer))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return _flat

    def build_inverse(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        return lambda batch: batch.reshape(len(batch), *(d or 1 for d in x.dims))


def _flat(batch: Tensor) -> Tensor:
    return batch.reshape(len(batch), -1)
