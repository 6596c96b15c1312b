"""Optimizers: how parameters move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dlx.component import Component

if TYPE_CHECKING:
    import torch

Groups = Iterable[dict[str, Any]]


class Optimizer(Component):
    """A rule that turns gradients into steps. Wraps torch's own where torch has it, fused where it can be."""

    family = "optimizers"
    state_per_parameter: ClassVar[float] = 0.0
    """Numbers kept for every parameter: 0 for plain SGD, 1 for momentum, 2 for Adam. Prices the optimizer's memory."""
    needs_closure: ClassVar[bool] = False
    """Whether a step evaluates the loss again (L-BFGS, SAM)."""
    full_batch: ClassVar[bool] = False
    """Whether a batch is the whole train split."""

    lr: float = Field(1e-3, gt=0)
    """Step size of an update."""
    no_decay: list[str] = Field(default_factory=lambda: ["bias", "norm"])
    """What weight decay spares: `bias` is every bias, `norm` every parameter of a normalization, else a glob of parameter names."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Factor on the lr for each layer further from the output; 1 gives all layers the same lr."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        """Make the torch optimizer over parameter groups (`params`, and `lr` and `weight_decay` where they differ)."""
        raise NotImplementedError
