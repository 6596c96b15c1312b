"""Samples in the units of the data: transforms undone, from the last to the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from dlx.plan import Plan
from dlx.tensors import TensorSpec
from dlx.transforms import Transform


@dataclass(frozen=True)
class Units:
    """The way from what a network sees back to what the data are, as far as transforms can be undone.

    steps  what undoes each transform, the last first
    spec   what comes out
    stuck  the last transform that cannot be undone; None if all can
    """

    steps: Sequence[Callable[[Tensor], Tensor]]
    spec: TensorSpec
    stuck: str | None

    def __call__(self, values: Tensor) -> Tensor:
        """Return samples (N, *dims) that a network saw, or made, as the data would have them."""
        for step in self.steps:
            values = step(values)
        return values

    def stored(self, values: Tensor) -> Tensor:
        """Return the same as the data store them: bytes where these are bytes."""
        values = self(values)
        return values.clamp(0, 255).round().byte() if self.spec.dtype == "uint8" else values


def units_of(plan: Plan) -> Units:
    """Return the way back for the first input of a plan."""
    name = plan.facts.inputs[0]
    spec, done = plan.facts.fields[name], list[tuple[Transform, TensorSpec]]()
    for transform in plan.recipe.data.transforms:
        assert isinstance(transform, Transform)
        if transform.field in (None, name):
            done.append((transform, spec))
            spec = transform.spec(spec)
    steps = []
    while done:
        transform, before = done[-1]
        undo = transform.build_inverse(before)
        if undo is None:
            break
        steps.append(undo)
        spec = before
        done.pop()
    return Units(steps, spec, done[-1][0].type if done else None)
