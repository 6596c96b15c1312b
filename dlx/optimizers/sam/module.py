"""Sharpness-aware minimization around any optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class SAM(torch.optim.Optimizer):
    """Evaluates the gradient at the perturbed weights, and lets the base optimizer, whose state it shares, step."""

    def __init__(self, base: torch.optim.Optimizer, rho: float, adaptive: bool) -> None:
        super().__init__(base.param_groups, {})
        self.base, self.rho, self.adaptive = base, rho, adaptive
        self._share()

    def _share(self) -> None:
        self.param_groups, self.state = self.base.param_groups, self.base.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        self.base.load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update every parameter that has a gradient; return the loss at the unperturbed weights.

        Raises: RuntimeError without a closure, which is how 16-bit mixed precision calls an optimizer.
        """
        if closure is None:
            raise RuntimeError("sam needs to evaluate the loss twice in a step; use precision 32 or bf16-mixed")
        evaluate = torch.enable_grad()(closure)
        loss = evaluate()
        before = self._climb()
        evaluate()
        for parameter, weights in before:
            parameter.copy_(weights)
        self.base.step()
        return loss

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        """Move the weights to the worst point nearby; return where they stood."""
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        scaled = [p.grad * p.abs() if self.adaptive else p.grad for p in parameters]
        norm = torch.stack([s.norm().to(scaled[0].device) for s in scaled]).norm()
        before = [(p, p.clone()) for p in parameters]
        for parameter, direction in zip(parameters, scaled, strict=True):
            reach = direction * parameter.abs() if self.adaptive else direction
            parameter.add_(reach * (self.rho / (norm + 1e-12)).to(parameter.device))
        return before
