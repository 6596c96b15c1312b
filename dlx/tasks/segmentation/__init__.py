from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Named
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData
from dlx.tasks._supervised.spec import ROLE, Supervision
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Segmentation(Supervision):
    """Says to which class each pixel of an image belongs.

    The network returns one score a class and pixel; the automatic head is a 1 × 1 convolution. Beside the metrics, the
    overlap (IoU) of each class is measured as `iou.<class>`; it is 0 for a class that is nowhere. Augmentations move
    masks along with their images.

    Shapes:  (C, H, W) → (K, H, W) for K classes; the target is a mask (H, W).
    Source:  Long et al. 2015, arXiv:1411.4038.

    Example:
        {type: segmentation, loss: {dice: {cross_entropy: 1.0}}, metrics: [mean_iou]}
    """

    type: Literal["segmentation"] = "segmentation"
    target_kind: ClassVar[str | None] = "classes"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """What is minimized."""
    metrics: Named[Metric] = Field({"mean_iou": {}, "accuracy": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test; each pixel is a sample."""
    head: Literal["auto", "none"] | list[Layer] = "auto"
    """What turns features into scores: `auto` adds a 1 × 1 convolution; `none` where the model itself ends in one map a
    class; or layers of your own."""

    @property
    def accepts_soft_targets(self) -> bool:
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        mask = facts.fields["target"].dims
        return {ROLE: Role(facts.input, TensorSpec((self.loss.out_features(facts), *mask), "CHW"))}

    def automatic(self, features: Spec, facts: DataFacts) -> list[Any]:
        if not isinstance(features, TensorSpec) or features.axes != "CHW":
            raise ShapeError(f"segmentation needs features of every pixel, but the model ends in {features}")
        return [{"conv": {"channels": self.loss.out_features(facts), "kernel": 1}}]

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), **{f"iou.{name}": "higher" for name in facts.classes}}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        target = context.facts.fields["target"]
        if target.axes != "HW":
            actual = "one class a sample" if context.facts.kind == "classes" else f"{target} ({target.axes})"
            yield UnfitData.at(f"segmentation needs a class for every pixel, but the target is {actual}")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.segmentation.module import SegmentationModule

        return SegmentationModule(networks, facts, learning, self.loss, self.metrics)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return each class's share of the image, and the mask as rows of numbers of classes."""
        codes_NHW = values.argmax(1)
        shares = {f"share({name})": (codes_NHW == k).mean((1, 2)).tolist() for k, name in enumerate(facts.classes)}
        return {**shares, "mask": codes_NHW.tolist()}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.segmentation.figures import draw

        return dict(draw(outputs, facts))
