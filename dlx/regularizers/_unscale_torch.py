"""Gradients as a callback sees them just before a step."""

from __future__ import annotations

from typing import Any

import torch


def unscale_gradients(trainer: Any, optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    """Undo the loss scaling of mixed precision, and return the parameters that have a gradient.

    Lightning does so itself, except for fused optimizers, which would do so inside their step.
    """
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if (
        scaler is not None
        and getattr(optimizer, "_step_supports_amp_scaling", False)
        and not _is_unscaled(scaler, optimizer)
    ):
        scaler.unscale_(optimizer)
    return [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def _is_unscaled(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> bool:
    """Return whether another callback has unscaled the gradients of this step; doing it twice is an error."""
    return bool(scaler._per_optimizer_states[id(optimizer)]["stage"].value > 0)
