"""Self-supervised learning: an encoder of features without labels, evaluated inside the same run. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from dlx.component import Section
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape, walk
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Networks, Role, Task, UnfitData
from dlx.tasks._base.heads import numeric_input, pooling
from dlx.tensors import Spec, elements

ROLE = "encoder"
PROBE, UNTRAINED = "probe", "untrained_probe"


class FeatureEvaluation(Section):
    """Linear probe and k-NN: how well frozen features separate the classes, measured during training.

    The probe is a linear classifier that learns beside the encoder, from a memory bank of the features that were seen
    last, and sends no gradient into the encoder; k-NN votes among the same features.
    """

    linear_probe: bool = True
    """Whether a linear classifier learns on the features; needs a target of classes."""
    untrained_probe: bool = False
    """With `linear_probe`: whether a second probe learns, on the features of the encoder as it was initialized; it is
    the baseline that the encoder must beat.
    """
    probe_loss_weight: float = Field(1.0, gt=0)
    """Factor of the probe's loss: with plain gradient descent, of its lr."""
    label_fraction: float = Field(1.0, gt=0, le=1)
    """Fraction of the training samples whose classes probe and k-NN see; the encoder sees none."""
    knn_neighbors: int = Field(0, ge=0)
    """With `linear_probe`: how many nearest neighbors vote on the class of a sample; 0 measures no knn_accuracy."""
    memory_bank: int = Field(2000, gt=0)
    """With `linear_probe`: how many features of labeled training samples are kept, the last that were seen; the probe
    learns from as many of them as a batch has, in every step, and k-NN searches among them.
    """

    def probes(self) -> list[str]:
        """Return the names of the linear probes."""
        return [PROBE, *([UNTRAINED] if self.untrained_probe else [])] if self.linear_probe else []

    def bank_size(self, facts: DataFacts) -> int:
        """Return how many features the memory bank keeps."""
        return min(self.memory_bank, math.ceil(self.label_fraction * facts.counts["train"]))

    def metric_names(self) -> list[str]:
        """Return what is measured of the features."""
        accuracies = [f"{probe}_accuracy" for probe in self.probes()]
        return [*accuracies, *(["knn_accuracy"] if self.linear_probe and self.knn_neighbors else [])]


class EncoderTask(Task):
    """A task with an encoder, whose features are evaluated by how well they tell classes apart."""

    default_role: ClassVar[str] = ROLE
    embedding_description: ClassVar[str] = "the features of the encoder"
    needs_full_parameters: ClassVar[bool] = True
    evaluate: FeatureEvaluation = FeatureEvaluation()
    """Linear probe and k-NN accuracy of the features."""

    @property
    def target_kind(self) -> str | None:  # type: ignore[override]
        """Classes are read only to evaluate features."""
        return "classes" if self.evaluate.linear_probe else None

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        return {ROLE: Role(numeric_input(facts, self.type))}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        x = numeric_input(facts, self.type)
        body = model.tree(x)
        features = infer_shape((), body, x)
        probe = [{"batch_norm": {"affine": False}}, {"linear": len(facts.classes)}]
        heads = {**self.heads(), **dict.fromkeys(self.evaluate.probes(), probe)}
        layers: list[Any] = [body.evolve("name", "body"), pooling_layer(features)]
        if heads:
            of = [{"type": "sequential", "name": name, "layers": head} for name, head in heads.items()]
            layers.append({"type": "branches", "name": "heads", "join": "concat", "of": of})
        return Layer.model_validate(layers)

    def heads(self) -> dict[str, list[Any]]:
        """Return the task's own heads on the features, by name."""
        return {}

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        """Count the memory bank with its classes, of 8 bytes, and the untrained encoder."""
        evaluate = self.evaluate
        if not evaluate.probes():
            return 0
        size = evaluate.bank_size(facts)
        width = next(elements(x) for path, _, x in walk(*networks[ROLE]) if path == "heads")
        untrained = num_weights(networks[ROLE], "body") if evaluate.untrained_probe else 0
        return size * (width * len(evaluate.probes()) + 2) + untrained

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {"loss": "lower", **dict.fromkeys(self.evaluate.metric_names(), "higher")}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if self.evaluate.linear_probe and (len(context.facts.classes) < 2 or context.facts.multilabel):
            message = "a linear probe needs one of several classes for every sample; or write linear_probe: false"
            yield UnfitData.at(message, "evaluate", "linear_probe")

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        if self.evaluate.linear_probe:
            return super().predictions_table(values, facts)
        return {f"feature_{i + 1}": values[:, i].tolist() for i in range(values.shape[1])}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.embedding import embedding

        values = outputs.values
        shade = ("class", facts.classes) if "target" in values else ("sample",)
        return {"features": embedding(values["features"], values.get("target", outputs.rows), *shade)}


def num_weights(network: tuple[Layer, Spec], *paths: str) -> int:
    """Return how many weights and buffers the layers at these paths have together."""
    costs = [layer.cost(x) for path, layer, x in walk(*network) if path in paths]  # type: ignore[arg-type]
    return sum(cost.parameters + cost.buffers for cost in costs)


def pooling_layer(features: Spec) -> dict[str, Any]:
    """Return the layer that makes one vector of features."""
    return {"sequential": {"name": "pool", "layers": pooling(features)}}
