"""What a network makes of samples before it answers. B batch, T steps, F features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def penultimate_features(network: nn.Module, run: Callable[[], object], mask_BT: Tensor | None = None) -> Tensor:
    """Return what the last layer with weights receives when `run` evaluates the network: (B, F).

    Maps are averaged over their positions, sequences over their steps, of which the mask says which are real.
    """
    received: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        received[:] = inputs[:1]

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if _has_weights(m)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return _vectors(received[0], mask_BT)


def _has_weights(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))


def _vectors(x: Tensor, mask_BT: Tensor | None) -> Tensor:
    if x.ndim == 3 and mask_BT is not None and mask_BT.shape == x.shape[:2]:
        real_BT1 = mask_BT.unsqueeze(2).to(x.dtype)
        return (x * real_BT1).sum(1) / real_BT1.sum(1).clamp_min(1)
    if x.ndim == 3:
        return x.mean(1)
    return x.flatten(2).mean(2) if x.ndim > 3 else torch.atleast_2d(x)
