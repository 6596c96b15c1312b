from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class MeanIoU(Metric):
    """Mean intersection over union (Jaccard index) of predicted and true classes.

    TP / (TP + FP + FN) for each class, all pixels of a split counted together; a class that is neither true nor
    predicted anywhere is left out of the mean. The usual metric of segmentation: unlike accuracy, it cannot be won by
    predicting `background`.

    Shapes:  probabilities (B, K) and class indices (B,); in segmentation each pixel is one of B.
    Units:   0 … 1.
    Source:  Everingham et al. 2010, doi:10.1007/s11263-009-0275-4; torchmetrics MulticlassJaccardIndex.

    Example:
        mean_iou
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    type: Literal["mean_iou"] = "mean_iou"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from torchmetrics.classification import MulticlassJaccardIndex

        return MulticlassJaccardIndex(len(facts.classes))
