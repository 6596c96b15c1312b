"""Restricted Boltzmann machine. B batch, V visible units, H hidden units."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INITIAL_STD = 0.01  # standard deviation of the initial weights


class BoltzmannMachine(nn.Module):
    """Restricted Boltzmann machine: two layers of units without connections inside a layer."""

    def __init__(self, visible: int, hidden: int, gaussian: bool) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.weight = nn.Parameter(torch.empty(hidden, visible).normal_(std=INITIAL_STD))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))

    def forward(self, visible_BV: Tensor) -> Tensor:
        """Return the probability (B, H) that each hidden unit is on."""
        total: Tensor = F.linear(visible_BV, self.weight, self.hidden_bias).sigmoid()
        # DistributedDataParallel waits for the gradient of every parameter, also of the one that is unused here.
        return total + 0.0 * self.visible_bias.sum()

    def visible_mean(self, hidden_BH: Tensor) -> Tensor:
        """Return the mean (B, V) of the visible units."""
        total_BV = F.linear(hidden_BH, self.weight.T, self.visible_bias)
        return total_BV if self.gaussian else total_BV.sigmoid()

    def free_energy(self, visible_BV: Tensor) -> Tensor:
        """Return −log Σₕ exp(−E(v, h)), (B,): the lower, the more probable v is."""
        hidden_B = F.softplus(F.linear(visible_BV, self.weight, self.hidden_bias)).sum(1)
        if self.gaussian:
            return 0.5 * (visible_BV - self.visible_bias).square().sum(1) - hidden_B
        return -visible_BV @ self.visible_bias - hidden_B

    @torch.no_grad()
    def gibbs_sample(self, visible_BV: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """Return visible units after steps of Gibbs sampling: hidden units are drawn, then visible ones."""
        for _ in range(steps):
            hidden_BH = torch.bernoulli(self(visible_BV), generator=generator)
            mean_BV = self.visible_mean(hidden_BH)
            visible_BV = self._sample_visible(mean_BV, generator)
        return visible_BV

    def _sample_visible(self, mean_BV: Tensor, generator: torch.Generator | None) -> Tensor:
        if not self.gaussian:
            return torch.bernoulli(mean_BV, generator=generator)
        noise = torch.randn(mean_BV.shape, generator=generator, device=mean_BV.device, dtype=mean_BV.dtype)
        return mean_BV + noise
