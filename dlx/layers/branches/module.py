"""Modules side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce

import torch
from torch import Tensor, nn

Join = Callable[[list[Tensor]], Tensor]


class Joined(nn.Module):
    """Gives the same input to every child and joins the outputs: concat (along axis), sum or product."""

    def __init__(self, branches: Mapping[str, nn.Module], join: str, axis: int) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)
        joins: dict[str, Join] = {
            "concat": partial(torch.cat, dim=axis),
            "sum": partial(reduce, torch.add),
            "product": partial(reduce, torch.mul),
        }
        self._join = joins[join]

    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Return the joined outputs."""
        return self._join([branch(x) for branch in self.children()])
