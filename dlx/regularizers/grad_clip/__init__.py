from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class GradClip(Regularizer):
    """Gradient clipping: bounds the gradient of every step, so that one bad batch cannot move the weights far.

    norm: g ← g · min(1, norm / |g|) over all parameters together, which keeps the direction. value: every element
    to [−value, value]. adaptive: each unit's gradient (a row of a matrix, a filter) to at most `adaptive` times the
    norm of its weights, which allows large batches without batch normalization. Clips once per optimizer step,
    after gradient accumulation.

    Units:   norm and value are in the gradient's units; adaptive is a ratio, 0.01 to 0.16 in the paper.
    Raises:  ValueError unless exactly one of norm, value and adaptive is given.
    Source:  norm: Pascanu et al. 2013, arXiv:1211.5063; adaptive: Brock et al. 2021, arXiv:2102.06171, for every layer.

    Example:
        {grad_clip: {norm: 1.0}}
    """

    primary: ClassVar[str] = "norm"
    type: Literal["grad_clip"] = "grad_clip"
    norm: float | None = Field(None, gt=0)
    """Largest norm of all gradients together."""
    value: float | None = Field(None, gt=0)
    """Largest absolute value of an element."""
    adaptive: float | None = Field(None, gt=0)
    """Adaptive gradient clipping: largest ratio of a unit's gradient norm to its weight norm."""

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if sum(limit is not None for limit in (self.norm, self.value, self.adaptive)) != 1:
            raise ValueError("give exactly one of norm, value and adaptive")
        return self

    @property
    def needs_full_parameters(self) -> bool:  # type: ignore[override]
        return self.adaptive is not None  # a unit's norm is that of all its weights

    def callback(self) -> pl.Callback:
        from torch.nn.utils import clip_grad_norm_, clip_grad_value_

        from dlx.regularizers.grad_clip.module import GradientClipping, adaptive_clip_grad_

        if self.norm is not None:
            return GradientClipping(partial(clip_grad_norm_, max_norm=self.norm))
        if self.value is not None:
            return GradientClipping(partial(clip_grad_value_, clip_value=self.value))
        assert self.adaptive is not None  # the validator saw to it
        return GradientClipping(partial(adaptive_clip_grad_, ratio=self.adaptive))
