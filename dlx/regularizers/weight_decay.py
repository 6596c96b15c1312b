from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.component import Component
from dlx.regularizers import Regularizer


class WeightDecay(Regularizer):
    """Weight decay: pulls weights toward zero in every step, by the optimizer's own rule.

    Sets the optimizer's `weight_decay`, whatever it was; the optimizer documents whether it is decoupled or added to
    the gradient. Parameters in the optimizer's `no_decay` are left out.

    Units:   weight_decay is per step and multiplied by the lr.
    Raises:  ValueError if the optimizer has no weight decay.
    Source:  Krogh & Hertz 1991; Loshchilov & Hutter 2019, arXiv:1711.05101.

    Example:
        {weight_decay: 0.05}
    """

    primary: ClassVar[str] = "weight_decay"
    type: Literal["weight_decay"] = "weight_decay"
    weight_decay: float = Field(0.01, ge=0)
    """The optimizer's `weight_decay`."""

    def rewrite_optimizer(self, optimizer: Component) -> Component:
        if "weight_decay" in type(optimizer).model_fields:
            return optimizer.evolve("weight_decay", self.weight_decay)
        wrapped = {name: value for name, value in optimizer if isinstance(value, Component)}
        if not wrapped:
            raise ValueError(f"{optimizer.type} has no weight decay; use another optimizer, or the regularizer l2")
        return optimizer.evolve_all({name: self.rewrite_optimizer(value) for name, value in wrapped.items()})
