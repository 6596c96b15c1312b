"""Adapters: parameter-efficient fine-tuning, which trains a few weights and leaves the network's own as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dlx.component import Component
from dlx.layer_names import check_pattern, weighted_layers
from dlx.layers import Layer, LinearMap, walk
from dlx.patterns import matches
from dlx.rules import CheckContext, Problem, Rule
from dlx.tensors import Spec

if TYPE_CHECKING:
    from torch import nn

MODULE = "adapter"
"""Name of the module that an adapter adds to a linear map."""
HEAD = "head"


class NothingToAdapt(Rule):
    """No layer that the adapter chooses has a linear map, or nothing is left that could learn.

    An adapter adds weights to linear maps, those of `linear` and of attention, and freezes everything else but
    `layers_to_train`.

    Why:      training would change nothing, or the head alone.
    Instead:  choose layers with linear maps, as `dlx plan` names them, such as body.blocks.*.attention.
    Wrong:
        model: {layers: [{linear: 8}, batch_norm, relu, {linear: 8}]}
        adapt: {lora: {layers: body.1}}
    Right:
        model: {layers: [{linear: 8}, batch_norm, relu, {linear: 8}]}
        adapt: {lora: {layers: body.0}}
    """

    code: ClassVar[str] = "DLX469"


class Adapter(Component):
    """A way to fine-tune a network by few parameters. Everything but these and `layers_to_train` is frozen."""

    family = "adapters"

    layers_to_train: list[str] = Field(default_factory=lambda: [HEAD])
    """Layers that learn besides, as `dlx plan` names them or by a glob; by default the head, where there is one."""

    def adapts(self, path: str) -> bool:
        """Say whether it adapts the linear maps of the layer at this path."""
        return False

    def added_parameters(self, linear: LinearMap) -> int:
        """Return how many parameters it adds to a linear map."""
        return 0

    def build(self, linear: nn.Linear) -> nn.Module | None:
        """Return the module that it adds to a linear map, of (linear, x, y) to the new y; None if it adds none."""
        return None

    def linear_maps(self, tree: Layer, x: Spec) -> dict[str, Mapping[str, LinearMap]]:
        """Return the linear maps of a network that it adapts: by layer, and within that by the name of the module."""
        return {
            path: maps
            for path, layer, inner in walk(tree, x)
            if self.adapts(path) and not self.is_trained_whole(path) and (maps := layer.linear_maps(inner))  # type: ignore[arg-type]
        }

    def is_trained_whole(self, name: str) -> bool:
        """Say whether a layer or weight learns besides the adapter."""
        return any(matches(pattern, name) for pattern in self.layers_to_train)

    def is_trained(self, weight: str) -> bool:
        """Say whether a weight or module of the adapted network is trained, by its name."""
        return MODULE in weight.split(".") or self.is_trained_whole(weight)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if not context.networks:
            return
        if "layers_to_train" in self.model_fields_set:
            for i, pattern in enumerate(self.layers_to_train):
                yield from check_pattern(pattern, weighted_layers(context), "layers_to_train", i)
        yield from self._check_maps(context)

    def _check_maps(self, context: CheckContext) -> Iterator[Problem]:
        if not any(self.is_trained_whole(layer) for layer in weighted_layers(context)):
            yield NothingToAdapt.at(f"{self.type} adds no weights, and none of the network's own are to be trained")
