from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import conv, dropout
from dlx.models._published.googlenet import NAMES
from dlx.name_maps import NameMap
from dlx.tensors import Spec

MODULES: dict[str, tuple[int, int, int, int, int, int]] = {  # table 1: 1×1, reduced, 3×3, reduced, 5×5, pooled
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
LAST_BEFORE_POOL = ("3b", "4e")
LAST_BEFORE_HEAD = ("4a", "4d")
HALVE = {"max_pool": {"kernel": 3, "stride": 2, "padding": 1}}


class GoogLeNet(Model):
    """GoogLeNet (Inception v1): nine modules of parallel 1 × 1, 3 × 3 and larger convolutions and a pool.

    1 × 1 convolutions make few channels before the expensive filters, so that 22 layers cost a twelfth of AlexNet's
    parameters. By default with batch norm and two sizes of 3 × 3 instead of 5 × 5, as it is trained today: 6,624,904
    parameters with 1,000 classes, and 13,004,888 with the two auxiliary heads, by which gradients reach its middle in
    training. `{batch_norm: false, large_kernel: 5, aux_logits: true}` is the network of 2014.

    Shapes:  (C, H, W) → (1024,).
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is not an image, or too small for the pools of auxiliary heads.
    Source:  Szegedy et al. 2015, arXiv:1409.4842; deviations: no local response norm, and weights start as in He et
             al. 2015.

    Example:
        {type: googlenet, dropout: 0.4}
    """

    type: Literal["googlenet"] = "googlenet"
    batch_norm: bool = True
    """Whether batch norm follows every convolution, which then has no bias."""
    large_kernel: Literal[3, 5] = 3
    """Side of a module's largest filters: 5 in the paper."""
    aux_logits: bool = False
    """Auxiliary classifiers: whether two heads in the middle predict too, in training, each with 0.3 of the loss."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Probability that a feature is set to zero in training, 0.4 in the paper; 0 leaves the layer out."""
    init: Initializer | None = Field(default="kaiming_normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES if self.batch_norm else {}

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", self.type)
        stem = [*self._conv(64, 7, 2), HALVE, *self._conv(64, 1), *self._conv(192, 3), HALVE]
        layers: list[Any] = [{"stem": stem}]
        for name, widths in MODULES.items():
            layers.append({f"inception{name}": self._inception(*widths)})
            layers += [HALVE] if name in LAST_BEFORE_POOL else []
            layers += [{f"head{name}": self._head()}] if self.aux_logits and name in LAST_BEFORE_HEAD else []
        return [*layers, "global_pool", *dropout(self.dropout)]

    def _head(self) -> dict[str, Any]:
        """Return an auxiliary classifier, without the last linear layer, which the task adds."""
        pool = {"avg_pool": {"kernel": 5, "stride": 3}}
        answer = [pool, *self._conv(128, 1), "flatten", {"linear": 1024}, "relu", {"dropout": 0.7}]
        return {"auxiliary_head": {"layers": answer, "weight": 0.3}}

    def _conv(self, channels: int, kernel: int, stride: int = 1) -> list[Any]:
        norm: list[Any] = ["batch_norm"] if self.batch_norm else []
        return [conv(channels, kernel, stride, bias=not self.batch_norm), *norm, "relu"]

    def _inception(self, single: int, before3: int, three: int, before5: int, five: int, pooled: int) -> dict[str, Any]:
        pool = {"max_pool": {"kernel": 3, "stride": 1, "padding": 1}}
        of = [
            self._conv(single, 1),
            [*self._conv(before3, 1), *self._conv(three, 3)],
            [*self._conv(before5, 1), *self._conv(five, self.large_kernel)],
            [pool, *self._conv(pooled, 1)],
        ]
        return {"branches": {"join": "concat", "of": of}}
