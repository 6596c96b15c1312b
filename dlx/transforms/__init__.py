"""Transforms: deterministic preprocessing of every sample, in training and inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from dlx.component import Component
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class Transform(Component):
    """A deterministic function of a field, applied to whole batches on the device.

    Statistics come from `TensorSpec.stats`, which hold what the train split says.
    """

    family = "transforms"

    unbuilt_fields: ClassVar[Mapping[str, str]] = {"field": "says on which input the transform acts"}
    field: str | None = None
    """Which input field; the only one where there is one."""

    def spec(self, x: TensorSpec) -> TensorSpec:
        """Return what comes out. Raises: ShapeError if it does not fit. Statistics that no longer hold change."""
        raise NotImplementedError

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        """Make the function from a batch (B, *dims) to a batch."""
        raise NotImplementedError

    def build_inverse(self, x: TensorSpec) -> Callable[[Tensor], Tensor] | None:
        """Make the function from what `build` makes back to a batch of x; None where it cannot be undone."""
        return None
