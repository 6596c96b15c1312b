from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.monitors import check_direction
from dlx.rules import CheckContext, Problem, Rule
from dlx.schedules import Schedule, TrainingLength

if TYPE_CHECKING:
    import torch


class NoValidation(Rule):
    """A schedule waits for a metric of val, but there is no val split.

    The schedule moves after each validation.

    Why:      without validation the learning rate would stay where it is.
    Instead:  keep a share of the samples for val, or choose a schedule that follows the steps.
    Wrong:
        schedule: plateau
        data: {split: {val: 0}}
    Right:    schedule: plateau
    """

    code: ClassVar[str] = "DLX404"


class Plateau(Schedule):
    """Reduces the learning rate on a plateau: multiplies it by a factor when validation no longer improves.

    Monitors the metric by which the best checkpoint is chosen, after every validation. Does not need to know the number
    of steps in advance; the price is the patience before each drop.

    Units:   patience and cooldown count validations; threshold is a fraction of the best value.
    Source:  torch.optim.lr_scheduler.ReduceLROnPlateau, with a warmup during which the metric is ignored; min_lr_rate
             as in transformers.

    Example:
        {type: plateau, factor: 0.5, patience: 5}
    """

    interval: ClassVar[str] = "validation"
    type: Literal["plateau"] = "plateau"
    factor: float = Field(0.1, gt=0, lt=1)
    """Multiplicative factor of each drop."""
    patience: int = Field(5, ge=0)
    """Number of validations without improvement that are tolerated."""
    threshold: float = Field(1e-4, ge=0)
    """Smallest relative change that counts as an improvement."""
    cooldown: int = Field(0, ge=0)
    """Number of validations after a drop that are ignored."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """Lower bound, as a factor on the lr."""
    mode: Literal["min", "max"] = "min"
    """Whether a smaller or a larger value of the metric is better."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        metric = context.recipe.task.monitor
        if not context.facts.counts.get("val"):
            yield NoValidation.at(f"{self.type} looks at {metric}, but there is no val split")
        yield from check_direction(self.type, metric, self.mode, context)

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return 1.0  # until the first drop, which no one knows in advance

    def build(self, optimizer: torch.optim.Optimizer, length: TrainingLength) -> torch.optim.lr_scheduler.LRScheduler:
        from dlx.schedules.plateau.module import WarmupReduceLROnPlateau

        return WarmupReduceLROnPlateau(
            optimizer,
            warmup=length.count(self.warmup),
            factor=self.factor,
            patience=self.patience,
            threshold=self.threshold,
            cooldown=self.cooldown,
            min_lr_rate=self.min_lr_rate,
            mode=self.mode,
        )
