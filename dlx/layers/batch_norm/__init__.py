from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import num_features, require_unpadded
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class StatisticsPerDevice(Rule):
    """Batch normalization sees the samples of one device at a time.

    Several devices share a batch, and each normalizes its own part of it by that part's mean and variance.

    Why:      the network learns something else than one device would, the more so the fewer samples a device has.
    Instead:  on GPUs write hardware.sync_batchnorm: true; or use group_norm, which looks at each sample alone.
    Wrong:
        model: {type: layers, layers: [{linear: 8}, batch_norm]}
        hardware: {accelerator: cpu, devices: 2}
    Right:
        model: {type: layers, layers: [{linear: 8}, {group_norm: 2}]}
        hardware: {accelerator: cpu, devices: 2}
    """

    code: ClassVar[str] = "DLX505"
    severity: ClassVar[Severity] = "warning"


class BatchNorm(Layer):
    """Batch normalization: gives every channel mean 0 and variance 1 over the batch, then a learned scale and shift.

    y = γ (x − μ) / √(σ² + ε) + β with the batch's μ and σ in training and their running means afterward. Allows
    larger steps and deeper networks; with fewer than about 8 samples a batch its statistics are noise, and
    `group_norm` serves better.

    Shapes:  kept; (F,), (T, F), (C, L), (C, H, W), (C, D, H, W). One mean for each F or C.
    Source:  Ioffe & Szegedy 2015, arXiv:1502.03167; torch.nn.BatchNorm2d.

    Example:
        batch_norm
    """

    uses_batch_statistics: ClassVar[bool] = True
    type: Literal["batch_norm"] = "batch_norm"
    eps: float = Field(1e-5, gt=0)
    """Added to the variance."""
    momentum: float = Field(0.1, gt=0, le=1)
    """Share of the newest batch in the running statistics."""
    affine: bool = True
    """Whether scale and shift are learned."""
    weight_init_value: float = 1.0
    """Initial value of the scale; 0 at the end of a residual branch makes the block the identity at first."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type)
        require_unpadded(x, self.type, "layer_norm")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        channels = num_features(x, self.type)
        return Cost(parameters=2 * channels * self.affine, buffers=2 * channels + 1, activations=x.elements)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if context.world_size > 1 and not context.recipe.hardware.sync_batchnorm:
            samples = context.batch_size
            note = f"{self.type} sees the {samples // context.world_size} samples of one device at a time"
            cure = "on GPUs, hardware.sync_batchnorm: true brings them together"
            yield StatisticsPerDevice.at(f"{note}, not all {samples}; {cure}")

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.batch_norm.module import batch_norm

        return batch_norm(
            x.axes, num_features(x, self.type), self.eps, self.momentum, self.weight_init_value if self.affine else None
        )
