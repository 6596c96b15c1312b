from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, dropout
from dlx.models._published.alexnet import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

# sum over 5 neighbors with α = 1e-4 in the paper is the mean over them with 5e-4
RESPONSE_NORM = {"local_response_norm": {"size": 5, "alpha": 5.0e-4, "beta": 0.75, "k": 2.0}}
POOL = {"max_pool": {"kernel": 3, "stride": 2}}


class AlexNet(Model):
    """AlexNet: five convolutions, then two wide fully connected layers with dropout (ImageNet winner of 2012).

    By default the one column of 2014, 61,100,840 parameters with 1,000 classes. `groups: 2` is the network of 2012,
    whose two halves, made for two devices, see each other only in the third convolution and the dense layers, with
    local response norm: 60,965,224 parameters.

    Shapes:  (C, H, W) → (hidden,); made for 224 × 224, images from 63 × 63 on fit.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not an image, or is too small.
    Source:  Krizhevsky et al. 2012, NeurIPS 25; one column: Krizhevsky 2014, arXiv:1404.5997; deviations: weights start
             as in He et al. 2015 and biases from 0, and the maps are pooled to 6 × 6 whatever the image's size.

    Example:
        {type: alexnet, hidden: 256}
    """

    type: Literal["alexnet"] = "alexnet"
    groups: Literal[1, 2] = 1
    """Groups of the second, fourth and fifth convolution: 2 for two halves that see only their own channels."""
    hidden: int = Field(4096, gt=0)
    """Width of the two fully connected layers."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Dropout probability of the fully connected layers fc6 and fc7: of their outputs with groups 2, as in 2012, of
    their inputs with groups 1, as in the code of 2014."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        widths = (64, 192, 384, 256, 256) if self.groups == 1 else (96, 256, 384, 384, 256)
        first, second, third, fourth, fifth = widths
        norm: list[Any] = [] if self.groups == 1 else [RESPONSE_NORM]
        return [
            {"conv1": {"conv": {"channels": first, "kernel": 11, "stride": 4, "padding": 2}}},
            "relu",
            *norm,
            POOL,
            {"conv2": conv(second, 5, groups=self.groups, bias=True)},
            "relu",
            *norm,
            POOL,
            {"conv3": conv(third, 3, bias=True)},
            "relu",
            {"conv4": conv(fourth, 3, groups=self.groups, bias=True)},
            "relu",
            {"conv5": conv(fifth, 3, groups=self.groups, bias=True)},
            "relu",
            POOL,
            {"adaptive_avg_pool": 6},
            "flatten",
            *self._dense("fc6"),
            *self._dense("fc7"),
        ]

    def _dense(self, name: str) -> list[Any]:
        """Return a fully connected layer with dropout: of its output in 2012, of its input in 2014."""
        drop: list[Any] = dropout(self.dropout)
        dense: list[Any] = [{name: {"linear": self.hidden}}, "relu"]
        return [*drop, *dense] if self.groups == 1 else [*dense, *drop]
