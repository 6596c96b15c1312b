"""Muon: momentum orthogonalized by Newton–Schulz. torch has it from 2.9 on, for tensors of two dimensions alone.

n, m   rows and columns of a matrix, n ≤ m while it is iterated
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from dlx.optimizers._fused import use_fused

NS_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan 2024: steepest at 0 among those that keep singular values near 1
ADAMW_UPDATE_RMS = 0.2  # Liu et al. 2025: the usual root mean square of an update of AdamW


class Muon(torch.optim.Optimizer):
    """Muon for tensors of two dimensions or more, and an AdamW inside, over the same state, for all others."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        ns_steps: int,
        weight_decay: float,
        adamw_betas: tuple[float, float],
        adamw_eps: float,
    ) -> None:
        self.rest: torch.optim.AdamW | None = None
        groups = list(groups)
        matrices, others = (
            _select_parameters(groups, lambda p: p.ndim >= 2),
            _select_parameters(groups, lambda p: p.ndim < 2),
        )
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
        super().__init__(matrices or [{"params": []}], {**defaults, "weight_decay": weight_decay})
        self.matrix_groups = len(self.param_groups)
        if others:
            self.rest = torch.optim.AdamW(
                others, lr=lr, betas=adamw_betas, eps=adamw_eps, weight_decay=weight_decay, fused=use_fused(others)
            )
            self.param_groups.extend(self.rest.param_groups)
            self._share()

    def _share(self) -> None:
        """Give the inner AdamW the parameter groups and the state of this optimizer."""
        if self.rest is not None:
            self.rest.param_groups = self.param_groups[self.matrix_groups :]
            self.rest.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update every parameter that has a gradient; return the loss of the closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups[: self.matrix_groups]:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        if self.rest is not None:
            self.rest.step()
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean = state["mean"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(mean, group["momentum"]) if group["nesterov"] else mean
        matrix = update.flatten(1)
        scale = ADAMW_UPDATE_RMS * math.sqrt(max(matrix.shape))
        step = orthogonalize_newton_schulz(matrix, group["ns_steps"]).view_as(parameter)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(step, alpha=-group["lr"] * scale)


def orthogonalize_newton_schulz(matrix_nm: Tensor, ns_steps: int) -> Tensor:
    """Return about U Vᵀ of the matrix U S Vᵀ: all singular values become roughly 1, between 0.7 and 1.2."""
    a, b, c = NS_COEFFICIENTS
    x_nm = matrix_nm.bfloat16() if matrix_nm.is_cuda else matrix_nm.float()
    is_tall = matrix_nm.shape[0] > matrix_nm.shape[1]
    if is_tall:
        x_nm = x_nm.T
    x_nm = x_nm / x_nm.norm().clamp(min=1e-7)
    for _ in range(ns_steps):
        gram_nn = x_nm @ x_nm.T
        x_nm = a * x_nm + (b * gram_nn + c * gram_nn @ gram_nn) @ x_nm
    nearest: Tensor = (x_nm.T if is_tall else x_nm).to(matrix_nm.dtype)
    return nearest


def _select_parameters(groups: list[dict[str, Any]], holds: Callable[[Tensor], bool]) -> list[dict[str, Any]]:
    """Return the groups with only the parameters for which the predicate holds, without groups that are then empty."""
    chosen = [{**group, "params": [p for p in group["params"] if holds(p)]} for group in groups]
    return [group for group in chosen if group["params"]]
