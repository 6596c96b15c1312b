"""Inverse transforms: samples brought back to the units of the data, from the last transform to the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from dlx.plan import Plan
from dlx.tensors import TensorSpec
from dlx.transforms import Transform


@dataclass(frozen=True)
class InverseTransforms:
    """The inverse of a plan's transforms: from what a network sees back to the data, as far as it exists.

    functions       the inverse of each transform, the last first
    spec            what comes out
    not_invertible  the last transform that has no inverse; None if all have one
    """

    functions: Sequence[Callable[[Tensor], Tensor]]
    spec: TensorSpec
    not_invertible: str | None

    def __call__(self, values: Tensor) -> Tensor:
        """Return samples (N, *dims), which a network saw or generated, in the units of the data."""
        for function in self.functions:
            values = function(values)
        return values

    def to_storage(self, values: Tensor) -> Tensor:
        """Return samples in the units and the dtype in which the data are stored: bytes where these are bytes."""
        values = self(values)
        return values.clamp(0, 255).round().byte() if self.spec.dtype == "uint8" else values


def inverse_transforms(plan: Plan) -> InverseTransforms:
    """Return the inverse transforms of a plan's first input."""
    name = plan.facts.inputs[0]
    spec, done = plan.facts.fields[name], list[tuple[Transform, TensorSpec]]()
    for transform in plan.recipe.data.transforms:
        assert isinstance(transform, Transform)
        if transform.field in (None, name):
            done.append((transform, spec))
            spec = transform.spec(spec)
    functions = []
    while done:
        transform, before = done[-1]
        undo = transform.build_inverse(before)
        if undo is None:
            break
        functions.append(undo)
        spec = before
        done.pop()
    return InverseTransforms(functions, spec, done[-1][0].type if done else None)
