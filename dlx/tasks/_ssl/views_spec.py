"""Multi-view learning: two augmented views of each sample are compared. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Networks, UnfitSetting
from dlx.tasks._ssl.spec import PROBE, ROLE, EncoderTask, num_weights

PROJECTOR = "projector"
CONTRASTIVE_ACCURACY = "contrastive_accuracy"


class MultiView(EncoderTask):
    """A task whose encoder learns from views: samples that were augmented in two ways.

    What `views` change is what features will ignore; `data.augment` would change both views alike.
    """

    has_fixed_target: ClassVar[bool] = True
    """Whether losses of different steps can be compared, so that the least belongs to the best encoder: not where the
    target moves along. Then the probe chooses the best checkpoint, where there is one.
    """
    views: list[Augmentation] = Field([{"random_gaussian_noise": {"p": 1.0}}], min_length=1, validate_default=True)  # type: ignore[list-item]
    """Augmentations that make a view of a sample; for images, crops and warps that keep what they show do better."""
    projection_dim: int = Field(64, gt=0)
    """Size of the projections that are compared."""
    projection_hidden: int = Field(128, gt=0)
    """Size of the projector's hidden layers."""

    @property
    def monitor(self) -> str:  # type: ignore[override]
        return "val/loss" if self.has_fixed_target or not self.evaluate.linear_probe else f"val/{PROBE}_accuracy"

    @property
    def monitor_mode(self) -> str:  # type: ignore[override]
        return "min" if self.monitor == "val/loss" else "max"

    def heads(self) -> dict[str, list[Any]]:
        return {PROJECTOR: self.projector()}

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        return super().buffer_elements(networks, facts) + num_weights(networks[ROLE], *self.momentum_layers())

    def momentum_layers(self) -> tuple[str, ...]:
        """Return the paths of the layers that a momentum encoder has copies of; none where there is no such encoder."""
        return ()

    def projector(self) -> list[Any]:
        """Return the layers of the projector, from features to a projection."""
        return [{"linear": self.projection_hidden}, "relu", {"linear": self.projection_dim}]

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        for i in (i for i, view in enumerate(self.views) if view.mixes):
            yield UnfitSetting.at(f"{self.views[i].type} mixes samples, so that none has a twin", "views", i)


class Contrastive(MultiView):
    """A task whose encoder brings the views of a sample together and those of others apart."""

    @property
    def learning_metric(self) -> str:
        return CONTRASTIVE_ACCURACY

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), CONTRASTIVE_ACCURACY: "higher"}
