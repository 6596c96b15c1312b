"""The encoder of a self-supervised task: features of samples, and heads that stand on them. B batch, F features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class FeatureEncoder:
    """The parts of an encoder's network: body and pooling, which make features of a sample, and heads by name."""

    def __init__(self, network: nn.Module) -> None:
        self.network: Any = network

    @property
    def layers(self) -> list[nn.Module]:
        """Body and pooling, in order."""
        return [self.network.body, self.network.pool]

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """The heads on the features."""
        children = dict(self.network.named_children())
        return dict(children["heads"].named_children()) if "heads" in children else {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return features (B, F)."""
        for layer in self.layers:
            x = layer(x)
        return x

    def evaluate(self, x: Tensor) -> Tensor:
        """Return features (B, F) as in an evaluation, without gradient; the encoder goes on as it was."""
        states = [(module, module.training) for layer in self.layers for module in layer.modules()]
        for module, _ in states:
            module.training = False
        with torch.no_grad():
            features_BF = self(x)
        for module, training in states:
            module.training = training
        return features_BF
