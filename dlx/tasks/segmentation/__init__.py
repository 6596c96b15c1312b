from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Named
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData
from dlx.tasks._supervised.spec import ROLE, SupervisedTask
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Segmentation(SupervisedTask):
    """Semantic segmentation: predicts the class of each pixel of an image.

    The network returns one logit a class and pixel; the automatic head is a 1 × 1 convolution. Beside the metrics, the
    intersection over union of each class is measured as `iou.<class>`; it is 0 for a class that is nowhere.
    Augmentations move masks along with their images.

    Shapes:  (C, H, W) → (K, H, W) for K classes; the target is a mask (H, W).
    Source:  Long et al. 2015, arXiv:1411.4038.

    Example:
        {type: segmentation, loss: {dice: {cross_entropy_weight: 1.0}}, metrics: [mean_iou]}
    """

    type: Literal["segmentation"] = "segmentation"
    target_kind: ClassVar[str | None] = "classes"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes."""
    metrics: Named[Metric] = Field({"mean_iou": {}, "accuracy": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test; each pixel is a sample."""
    head: Literal["auto", "none"] | list[Layer] = "auto"
    """The layers from features to logits: `auto` adds a 1 × 1 convolution; `none` where the model itself ends in one
    map a class; or layers of your own."""

    @property
    def accepts_soft_targets(self) -> bool:
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        mask = facts.fields["target"].dims
        return {ROLE: Role(facts.input, TensorSpec((self.loss.out_features(facts), *mask), "CHW"))}

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

        return SegmentationModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return each class's fraction of the image, and the mask as rows of class indices."""
        class_NHW = values.argmax(1)
        fractions = {
            f"fraction({name})": (class_NHW == k).mean((1, 2)).tolist() for k, name in enumerate(facts.classes)
        }
        return {**fractions, "mask": class_NHW.tolist()}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.segmentation.figures import draw

        return dict(draw(outputs, facts))
