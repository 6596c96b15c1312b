"""Regularizers: methods against overfitting. Each acts at one of a few points of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Self

from dlx.component import Component
from dlx.rules import CheckContext, Problem, Rule
from dlx.strategies import check_full_parameters

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import Tensor, nn


class SecondAverage(Rule):
    """Two averages are to take the place of the weights.

    ema and swa each keep an average of the weights, which is evaluated and saved in their place.

    Why:      only one of them can be.
    Instead:  use one of them.
    Wrong:    regularize: {ema: {}, swa: {}}
    Right:    regularize: {ema: {}}
    """

    code: ClassVar[str] = "DLX440"


class Regularizer(Component):
    """A method against overfitting or unstable training. A leaf overrides the methods for the points where it acts.

    The first three rewrite specifications before anything is built, so that `dlx plan` shows their effect and cost.
    """

    family = "regularizers"
    averages_weights: ClassVar[bool] = False
    """Whether an average takes the place of the weights where they are evaluated and saved."""

    needs_full_parameters: ClassVar[bool] = False
    """Whether it needs full weights or gradients during training, and cannot act on the shards of fsdp."""

    def rewrite_layers(self, tree: Component) -> Component:
        """Return the layer tree of a network, changed (dropout, stochastic depth)."""
        return tree

    def rewrite_loss(self, loss: Component) -> Component:
        """Return the task's loss, changed (label smoothing). Raises: ValueError if this loss cannot be changed so."""
        return loss

    def rewrite_optimizer(self, optimizer: Component) -> Component:
        """Return the optimizer, changed (weight decay). Raises: ValueError if this optimizer cannot be changed so."""
        return optimizer

    def penalty(self, network: nn.Module) -> Tensor | None:
        """Return a scalar that is added to the training loss, or None."""
        return None

    def callback(self) -> pl.Callback | None:
        """Return a Lightning callback that does the rest (clipping, averaging, stopping), or None."""
        return None

    def resolve_auto(self) -> Self:
        """Return the regularizer with every `auto` resolved."""
        return self

    def metric_names(self) -> dict[str, str]:
        """Return the metrics that it adds to val and test, each with whether "higher" or "lower" is better."""
        return {}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if self.needs_full_parameters or self.averages_weights:
            yield from check_full_parameters(self, context)
        averages = [r for r in context.recipe.regularize.values() if r.averages_weights]
        if self.averages_weights and averages[0] is not self:
            message = "takes the place of the weights that are evaluated, and so does"
            yield SecondAverage.at(f"{self.type} {message} {averages[0].type}: use one of them")
