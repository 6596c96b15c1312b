"""Data that turn into noise in T steps, and one step back. B batch.

After t steps a sample x₀ is xₜ = signalₜ x₀ + noiseₜ ε with ε standard normal and signal² + noise² = 1; t = 0 is the
sample itself. ᾱₜ = signalₜ² is called a level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

MOST = 0.999  # share of the variance that a step may replace


def linear_levels(steps: int) -> list[float]:
    """Return ᾱ from 0 to T steps; the variance that a step adds grows from 1e-4 to 0.02, for 1,000 steps."""
    scale = 1000 / steps
    rates = [scale * (1e-4 + (0.02 - 1e-4) * i / max(steps - 1, 1)) for i in range(steps)]
    return _levels(rates)


def cosine_levels(steps: int) -> list[float]:
    """Return ᾱ from 0 to T steps, which falls as a squared cosine: slowly at both ends."""
    curve = [math.cos((i / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(steps + 1)]
    return _levels([1 - b / a for a, b in pairwise(curve)])


def _levels(rates: Sequence[float]) -> list[float]:
    levels = [1.0]
    for rate in rates:
        levels.append(levels[-1] * (1 - min(rate, MOST)))
    return levels


class Process(nn.Module):
    """The way to noise, by its levels, and what a network is asked about it: the noise, the sample, or v.

    v = signal ε − noise x₀ is the noise where there is none and the sample where there is nothing else.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__()
        self.levels = list(levels)
        self.steps = len(levels) - 1
        exact = torch.tensor(levels, dtype=torch.float64)
        self.register_buffer("signal", exact.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - exact).sqrt().float(), persistent=False)
        self.signal: Tensor
        self.noise: Tensor

    def noised(self, x: Tensor, t_B: Tensor, eps: Tensor) -> Tensor:
        """Return x after t steps."""
        return _like(self.signal[t_B], x) * x + _like(self.noise[t_B], x) * eps

    def wanted(self, kind: str, x: Tensor, t_B: Tensor, eps: Tensor) -> Tensor:
        """Return what a network that predicts epsilon, sample or v_prediction should say."""
        if kind == "v_prediction":
            return _like(self.signal[t_B], x) * eps - _like(self.noise[t_B], x) * x
        return eps if kind == "epsilon" else x

    def sample_of(self, kind: str, said: Tensor, x_t: Tensor, t: int) -> Tensor:
        """Return the sample x₀ that a network means by what it says of xₜ."""
        signal, noise = math.sqrt(self.levels[t]), math.sqrt(1 - self.levels[t])
        if kind == "v_prediction":
            return signal * x_t - noise * said
        return (x_t - noise * said) / signal if kind == "epsilon" else said

    def noise_of(self, x: Tensor, x_t: Tensor, t: int) -> Tensor:
        """Return the noise with which the sample x became xₜ."""
        return (x_t - math.sqrt(self.levels[t]) * x) / math.sqrt(1 - self.levels[t])

    def posterior(self, x: Tensor, x_t: Tensor, t: int, s: int) -> tuple[Tensor, float]:
        """Return mean and standard deviation of the state after s < t steps, given the sample and xₜ."""
        kept = self.levels[t] / self.levels[s]
        of_sample = math.sqrt(self.levels[s]) * (1 - kept) / (1 - self.levels[t])
        of_state = math.sqrt(kept) * (1 - self.levels[s]) / (1 - self.levels[t])
        return of_sample * x + of_state * x_t, self.spread(t, s)

    def spread(self, t: int, s: int) -> float:
        """Return the standard deviation of the posterior after s < t steps."""
        return math.sqrt((1 - self.levels[t] / self.levels[s]) * (1 - self.levels[s]) / (1 - self.levels[t]))


Step = Callable[[Process, Tensor, Tensor, int, int, Tensor], Tensor]
"""From xₜ and the sample that it is believed to come from to the state after s < t steps, with fresh noise."""


def ancestral(process: Process, x: Tensor, x_t: Tensor, t: int, s: int, fresh: Tensor) -> Tensor:
    """Draw from the posterior."""
    mean, deviation = process.posterior(x, x_t, t, s)
    return mean + deviation * fresh


def implicit(eta: float) -> Step:
    """Return a step that follows the noise that is there already, and replaces a share eta of it by fresh noise."""

    def step(process: Process, x: Tensor, x_t: Tensor, t: int, s: int, fresh: Tensor) -> Tensor:
        deviation = eta * process.spread(t, s)
        followed = math.sqrt(max(1 - process.levels[s] - deviation**2, 0.0))
        kept = math.sqrt(process.levels[s]) * x + followed * process.noise_of(x, x_t, t)
        return kept + deviation * fresh

    return step


def times(steps: int, taken: int) -> list[int]:
    """Return at which of the steps a sampler stops that takes so many, from the last down to 0."""
    taken = min(taken, steps)
    return [round(steps * i / taken) for i in range(taken, -1, -1)]


def _like(value_B: Tensor, x: Tensor) -> Tensor:
    return value_B.view(-1, *[1] * (x.ndim - 1))
