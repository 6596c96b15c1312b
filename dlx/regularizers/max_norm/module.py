"""The max-norm constraint, restored right after every optimizer step."""

from __future__ import annotations

import torch
from torch import nn

from dlx.regularizers._after_step_torch import AfterStepCallback
from dlx.regularizers._unit_norms_torch import unit_norms
from dlx.regularizers._weights import weights


class MaxNormConstraint(AfterStepCallback):
    """Rescales the weights of each unit to at most a norm after every step."""

    def __init__(self, limit: float) -> None:
        super().__init__(lambda optimizer, module: clip_weight_norms_(module, limit))


@torch.no_grad()
def clip_weight_norms_(network: nn.Module, limit: float) -> None:
    """Rescale the weights of each unit in place to at most the limit."""
    for weight in weights(network.parameters()):
        weight.mul_(limit / unit_norms(weight).clamp(min=limit))
