"""Regularizers: what keeps a network from fitting noise. Each acts at one of a few points of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from dlx.component import Component

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import Tensor, nn


class Regularizer(Component):
    """One idea that improves generalization or stability. A leaf overrides the points where it acts.

    The first three rewrite specifications before anything is built, so that `dlx plan` shows and prices what they do.
    """

    family = "regularizers"
    averages_weights: ClassVar[bool] = False
    """Whether an average takes the place of the weights where they are evaluated and saved."""

    needs_full_parameters: ClassVar[bool] = False
    """Whether it needs weights or gradients whole while a network learns, and cannot act on their parts."""

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
        """Return the regularizer with every `auto` decided."""
        return self

    def monitor_mode(self) -> Literal["min", "max"] | None:
        """Return which direction of the metric that it watches is an improvement, or None."""
        return None

    def monitored_metric(self) -> str | None:
        """Return the name of the metric that it watches (`val/loss`), so that one that never exists is an error."""
        return None
