from __future__ import annotations

from itertools import count
from typing import ClassVar, Literal

from pydantic import Field

from dlx.component import Component
from dlx.regularizers import Regularizer
from dlx.trees import iter_layers, map_layers

FIELD = "drop_path"


class StochasticDepth(Regularizer):
    """Stochastic depth (drop path): skips residual blocks at random during training, deep ones more often.

    The l-th of L layers that have a field `drop_path` gets drop_path_rate · l / L, whatever it had. Each step trains
    a shallower network; the full one is about their average.

    Units:   drop_path_rate is the probability that the last block is skipped.
    Raises:  ValueError if no layer of the network has a `drop_path`.
    Source:  Huang et al. 2016, arXiv:1603.09382. Deviation: a layer that is repeated counts once.

    Example:
        {stochastic_depth: 0.2}
    """

    primary: ClassVar[str] = "drop_path_rate"
    type: Literal["stochastic_depth"] = "stochastic_depth"
    drop_path_rate: float = Field(0.1, ge=0, lt=1)
    """Probability that the last block is skipped."""

    def rewrite_layers(self, tree: Component) -> Component:
        blocks = sum(_can_be_skipped(layer) for layer in iter_layers(tree))
        if not blocks:
            raise ValueError(f"no layer of the network has a {FIELD}; residual blocks do")
        numbers = count(1)

        def set_rate(layer: Component) -> Component:
            if not _can_be_skipped(layer):
                return layer
            return layer.evolve(FIELD, self.drop_path_rate * next(numbers) / blocks)

        return map_layers(tree, set_rate)


def _can_be_skipped(layer: Component) -> bool:
    return FIELD in type(layer).model_fields
