"""Supervised learning: one network with a head, a loss and metrics. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

from dlx.component import Component, Named
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape, walk
from dlx.losses import Loss, decide
from dlx.metrics import Metric
from dlx.models import Model
from dlx.regularizers import Regularizer
from dlx.rules import CheckContext, Problem
from dlx.tasks import ChanceLevel, Role, Task
from dlx.tasks._base.heads import head
from dlx.tasks._base.masks import input_with_masks
from dlx.tasks._supervised.predictions import classification_table, regression_table, target_names
from dlx.tensors import Spec, TensorSpec
from dlx.trees import iter_layers, map_layers

ROLE = Task.default_role


class SupervisedTask(Task):
    """A task with one network, a target, a loss and metrics."""

    trains_auxiliary_outputs: ClassVar[bool] = True

    loss: Loss
    """The loss function, which training minimizes."""
    metrics: Named[Metric]
    """What is measured on val and test."""
    head: Literal["auto", "none"] | list[Layer] = "auto"
    """The layers from features to the output: `auto` pools where needed and adds a linear layer; `none` where the model
    itself ends in the required shape; or layers of your own."""

    @property
    def accepts_soft_targets(self) -> bool:
        return self.loss.accepts_soft_targets

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        return {ROLE: Role(input_with_masks(facts), TensorSpec((self.loss.out_features(facts),), "F"))}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        x, output = wanted.input, wanted.output
        assert output is not None
        body = model.tree(x)
        if self.head == "none" or (self.head == "auto" and model.has_head):
            return body
        body = self._with_auxiliary_heads(body, x, output).evolve("name", "body")
        return Layer.model_validate([body, self._head(infer_shape((), body, x), output)])

    def _with_auxiliary_heads(self, body: Layer, x: Spec, output: TensorSpec) -> Layer:
        """Give every layer with an auxiliary output the head that the network has at its end."""
        if not any(isinstance(part, Layer) and part.has_auxiliary_output for part in iter_layers(body)):
            return body
        inputs = {id(layer): inner for _, layer, inner in walk(body, x) if layer.has_auxiliary_output}

        def with_head(layer: Component) -> Component:
            if id(layer) not in inputs:
                return layer
            end = self._head(layer.auxiliary_shape(inputs[id(layer)]), output)  # type: ignore[attr-defined]
            return layer.evolve("layers", [*layer.layers, end])  # type: ignore[attr-defined]

        return cast(Layer, map_layers(body, with_head))

    def _head(self, features: Spec, output: TensorSpec) -> Layer:
        """Return the head of features."""
        layers = self.head if isinstance(self.head, list) else head(features, output, self.type)
        return Layer.model_validate({"type": "sequential", "name": "head", "layers": layers})

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        own = {name: m.direction for key, m in self.metrics.items() for name in m.names(key, facts)}
        return {"loss": "lower", **own}

    def prediction_metric_names(self, facts: DataFacts) -> list[str]:
        return [name for key, metric in self.metrics.items() for name in metric.names(key, facts)]

    def decisions(self, values: Any, facts: DataFacts) -> Any:
        return decide(values, facts) if facts.classes else None

    def with_regularizers(self, regularizers: Mapping[str, Regularizer], facts: DataFacts) -> Task:
        loss: Any = self.loss
        for regularizer in regularizers.values():
            loss = regularizer.rewrite_loss(loss)
        return self if loss is self.loss else self.evolve("loss", loss)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        facts = self.target_facts(self.loss, context.facts)
        chance = self.loss.chance_level(facts) if facts is not None and context.networks else None
        if chance is not None:
            yield ChanceLevel.at(f"a loss of {chance:.2f} is chance: it gives every class the same probability")

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        if facts.classes:
            return classification_table(values, facts, self.loss.probabilistic)
        return regression_table(values, target_names(facts), self.loss)
