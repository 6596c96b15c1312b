from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import Stats, TensorSpec
from dlx.transforms import Transform
from dlx.transforms._stats import affine_stats, as_float, check_numeric, per_channel

if TYPE_CHECKING:
    from torch import Tensor

BYTE_RANGE = 255.0


class Normalize(Transform):
    """Normalization (standardization or min-max scaling) of every channel or column.

    standard: (x − mean) / std, with the mean and deviation of the train split unless they are given. min_max:
    (x − low) / (high − low), the range of the train split, and [0, 255] for bytes. A constant column becomes 0; missing
    values (NaN) stay missing. Networks learn slowly, or not at all, from inputs of very different sizes.

    Shapes:  kept; one mean and deviation for each channel (C…) or column (F, TF).
    Units:   mean and std are in the units of the stored values: 0 to 255 for byte images.
    Raises:  ShapeError if the statistics are not known, their number is wrong, or the values are codes of categories.

    Example:
        {type: normalize, method: standard}
    """

    type: Literal["normalize"] = "normalize"
    method: Literal["standard", "min_max"] = "standard"
    """Mean 0 and deviation 1, or the range [0, 1]."""
    mean: float | list[float] | None = None
    """With `method: standard`: what is subtracted, one number or one a channel; by default the train split's mean."""
    std: float | list[float] | None = None
    """With `method: standard`: what it is divided by, one number or one a channel; by default the train split's."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        center, width = self._constants(x)
        factor = [1 / w for w in width]
        shift = [-c / w for c, w in zip(center, width, strict=True)]
        return as_float(x).replace(stats=affine_stats(x.stats, factor, shift))

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        from dlx.transforms._affine import Standardize

        return Standardize(x, *self._constants(x))

    def build_inverse(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        from dlx.transforms._affine import ScaleShift

        center, width = self._constants(x)
        return ScaleShift(x, width, center)

    def _constants(self, x: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return what is subtracted from, and what divides, each channel."""
        x = check_numeric(x, "normalize")
        center, width = self._range(x) if self.method == "min_max" else self._moments(x)
        return center, tuple(w or 1.0 for w in width)

    def _range(self, x: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.mean is not None or self.std is not None:
            raise ShapeError("normalize by min_max takes no mean and std; leave out `method: min_max` to use them")
        if x.dtype == "uint8":
            return per_channel(0.0, x, "low"), per_channel(BYTE_RANGE, x, "high")
        low = per_channel(_require_stats(x, "low"), x, "low")
        high = per_channel(_require_stats(x, "high"), x, "high")
        return low, tuple(b - a for a, b in zip(low, high, strict=True))

    def _moments(self, x: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
        mean = per_channel(_require_stats(x, "mean") if self.mean is None else self.mean, x, "mean")
        std = per_channel(_require_stats(x, "std") if self.std is None else self.std, x, "std")
        if any(s < 0 for s in std):
            raise ShapeError("normalize needs a std of at least 0")
        if self.std is not None and x.dtype == "uint8" and max(std) < 1:
            raise ShapeError(
                "normalize: mean and std are in the units of the stored bytes, 0 to 255; multiply yours by 255"
            )
        return mean, std


def _require_stats(x: TensorSpec, name: str) -> tuple[float, ...]:
    values: tuple[float, ...] = getattr(x.stats or Stats(), name)
    if not values:
        raise ShapeError(
            f"normalize does not know the {name} of this field after what was done before it; put it first"
        )
    return values
