"""What tasks share that compare two changed views of each sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Networks, UnfitSetting
from dlx.tasks._ssl.spec import PROBE, ROLE, Probing, weights

PROJECTOR = "projector"


class MultiView(Probing):
    """A task whose encoder learns from views: samples that were changed in two ways.

    What `views` change is what features will ignore; `data.augment` would change both views alike.
    """

    comparable: ClassVar[bool] = True
    """Whether losses of different moments can be compared, so that the least belongs to the best encoder: not where
    what is aimed at moves along. Then the probe chooses the best checkpoint, where there is one.
    """
    followed: ClassVar[bool] = False
    """Whether a copy of what makes projections follows it."""
    projector_at: ClassVar[str] = PROJECTOR
    """Where among the heads projections are made of features."""
    views: list[Augmentation] = Field([{"random_gaussian_noise": {"p": 1.0}}], min_length=1, validate_default=True)  # type: ignore[list-item]
    """What changes a sample, each time anew; for images, crops and warps that keep what they show do better."""
    projection_dim: int = Field(64, gt=0)
    """Size of the vectors that are compared."""
    projection_hidden: int = Field(128, gt=0)
    """Size of the hidden layers of the projection head."""

    @property
    def monitor(self) -> str:  # type: ignore[override]
        return "val/loss" if self.comparable or not self.evaluate.linear_probe else f"val/{PROBE}_accuracy"

    @property
    def monitor_mode(self) -> str:  # type: ignore[override]
        return "min" if self.monitor == "val/loss" else "max"

    def heads(self) -> dict[str, list[Any]]:
        return {PROJECTOR: self.projector()}

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        following = weights(networks[ROLE], "body", f"heads.{self.projector_at}") if self.followed else 0
        return super().buffer_elements(networks, facts) + following

    def projector(self) -> list[Any]:
        """Return what makes a projection of features."""
        return [{"linear": self.projection_hidden}, "relu", {"linear": self.projection_dim}]

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        for i in (i for i, view in enumerate(self.views) if view.mixes):
            yield UnfitSetting.at(f"{self.views[i].type} mixes samples, of which none is then the twin", "views", i)
