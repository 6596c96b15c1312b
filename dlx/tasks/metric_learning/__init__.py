from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, Task, UnfitData
from dlx.tasks._base.heads import HeadChoice, reshaping_network
from dlx.tasks.metric_learning._names import HOLDOUT
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from matplotlib.figure import Figure
    from torch import nn

ROLE = "encoder"


class MetricLearning(Task):
    """Metric learning: embeddings in which samples of the same class are close and samples of other classes far.

    `contrastive` pulls pairs of a class together, d²/2, and pushes others apart up to a margin, max(0, margin − d)²/2.
    `triplet` asks of an anchor that it be nearer to its positive than to a negative by a margin, max(0, d²(a, p) −
    d²(a, n) + margin). Prefer it to classification where there are many classes, few samples of each, or classes that
    are not there yet. A batch needs several samples of a class: `train.samples_per_class` sees to it.

    Shapes:  any → (embedding_dim,).
    Units:   on val and test, every sample is a query among the others of its split, of which the first 4,000 are
             taken; recall_at_k is how often one of its class is among the k nearest, map_at_r the mean average
             precision among the first R, R being how many others its class has. Where classes are left out of train
             (`data.split.holdout_classes`), their samples are searched among one another: holdout_recall_at_k, ….
    Source:  Hadsell, Chopra & LeCun 2006, doi:10.1109/CVPR.2006.100; Schroff et al. 2015, arXiv:1503.03832 (semi_hard);
             Hermans et al. 2017, arXiv:1703.07737 (hard, all; squared distances here); Musgrave et al. 2020,
             arXiv:2003.08505 (map_at_r).

    Example:
        {type: metric_learning, loss: contrastive, margin: 1.0, embedding_dim: 16}
    """

    target_kind: ClassVar[str | None] = "classes"
    default_role: ClassVar[str] = ROLE
    embedding_description: ClassVar[str] = "the embedding"
    monitor: ClassVar[str] = "val/map_at_r"
    monitor_mode: ClassVar[str] = "max"
    type: Literal["metric_learning"] = "metric_learning"
    loss: Literal["triplet", "contrastive"] = "triplet"
    """The loss function of distances."""
    margin: float = Field(0.2, gt=0)
    """How much farther other classes must be: in squared distance for `triplet`, in distance for `contrastive`."""
    mining: Literal["semi_hard", "hard", "all"] = "semi_hard"
    """With `triplet`: for every positive the nearest of the negatives that are farther, or the farthest if none is;
    for every anchor its farthest positive and nearest negative; or the mean of all triplets that cost anything.
    """
    embedding_dim: int = Field(32, gt=0)
    """Size of an embedding."""
    normalize: bool = True
    """Whether embeddings have length 1."""
    knn_neighbors: int = Field(5, gt=0)
    """How many neighbors vote for knn_accuracy."""
    recall_at: list[Annotated[int, Field(gt=0)]] = Field([1, 5], min_length=1)
    """Which k recall_at_k is measured for."""
    head: HeadChoice = "auto"
    """Last layers of the network: `auto` maps features to an embedding; `none` where the model ends in one."""

    @property
    def learning_metric(self) -> str:
        return "map_at_r"

    @property
    def compares_samples(self) -> bool:
        return True

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        return {ROLE: Role(facts.input, TensorSpec((self.embedding_dim,), "F"))}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        return reshaping_network(model, facts.input, TensorSpec((self.embedding_dim,), "F"), self.type, self.head)

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        names = [*(f"recall_at_{k}" for k in self.recall_at), "knn_accuracy", "map_at_r"]
        holdout = [f"{HOLDOUT}{name}" for name in names] if 0 in facts.class_counts else []
        return {"loss": "lower", **dict.fromkeys([*names, *holdout], "higher")}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if len(context.facts.classes) < 2 or context.facts.multilabel:
            yield UnfitData.at("metric_learning needs one of several classes for every sample")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.metric_learning.module import MetricLearningModule

        return MetricLearningModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        return {f"embedding_{i + 1}": values[:, i].tolist() for i in range(values.shape[1])}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Figure]:
        from dlx.figures.embedding import embedding

        values = outputs.values
        return {"embeddings": embedding(values["embedding"], values["target"], "class", facts.classes)}
