"""Parallel branches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, takes_context

Join = Callable[[list[Tensor]], Tensor]


class ParallelBranches(nn.Module):
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
        self._takes = [takes_context(branch) for branch in branches.values()]
        self.takes_context = any(self._takes)

    def forward(self, x: Tensor | Mapping[str, Tensor], context: Context | None = None) -> Tensor:
        """Return the joined outputs."""
        pairs = zip(self.children(), self._takes, strict=True)
        return self._join([branch(x, context) if takes else branch(x) for branch, takes in pairs])
