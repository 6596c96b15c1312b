"""Noise scheduler of a diffusion: data become noise in T steps, and one step back (DDPM, DDIM). B batch.

After t steps a sample x₀ is xₜ = √ᾱₜ x₀ + √(1 − ᾱₜ) ε with ε standard normal; ᾱₜ is the cumulative product of the
alphas, and t = 0 is the sample itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

MAX_BETA = 0.999  # share of the variance that a step may replace


def linear_alphas_cumprod(timesteps: int) -> list[float]:
    """Return ᾱ from 0 to T steps; β, the variance that a step adds, grows from 1e-4 to 0.02, for 1,000 steps."""
    scale = 1000 / timesteps
    betas = [scale * (1e-4 + (0.02 - 1e-4) * i / max(timesteps - 1, 1)) for i in range(timesteps)]
    return _cumulative_product(betas)


def cosine_alphas_cumprod(timesteps: int) -> list[float]:
    """Return ᾱ from 0 to T steps, which falls as a squared cosine: slowly at both ends."""
    curve = [math.cos((i / timesteps + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(timesteps + 1)]
    return _cumulative_product([1 - b / a for a, b in pairwise(curve)])


def _cumulative_product(betas: Sequence[float]) -> list[float]:
    alphas_cumprod = [1.0]
    for beta in betas:
        alphas_cumprod.append(alphas_cumprod[-1] * (1 - min(beta, MAX_BETA)))
    return alphas_cumprod


class NoiseScheduler(nn.Module):
    """Adds noise to samples, and says what a network predicts of them: epsilon, sample or v_prediction.

    v = √ᾱ ε − √(1 − ᾱ) x₀ is the noise where there is none, and −x₀ where there is nothing else.
    """

    def __init__(self, alphas_cumprod: Sequence[float]) -> None:
        super().__init__()
        self.alphas_cumprod = list(alphas_cumprod)
        self.timesteps = len(alphas_cumprod) - 1
        exact = torch.tensor(alphas_cumprod, dtype=torch.float64)
        self.register_buffer("signal", exact.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - exact).sqrt().float(), persistent=False)
        self.signal: Tensor
        self.noise: Tensor

    def add_noise(self, x: Tensor, t_B: Tensor, eps: Tensor) -> Tensor:
        """Return xₜ: samples after t steps."""
        return _expand_like(self.signal[t_B], x) * x + _expand_like(self.noise[t_B], x) * eps

    def prediction_target(self, prediction_type: str, x: Tensor, t_B: Tensor, eps: Tensor) -> Tensor:
        """Return what the network should predict."""
        if prediction_type == "v_prediction":
            return _expand_like(self.signal[t_B], x) * eps - _expand_like(self.noise[t_B], x) * x
        return eps if prediction_type == "epsilon" else x

    def predicted_sample(self, prediction_type: str, prediction: Tensor, x_t: Tensor, t: int) -> Tensor:
        """Return the sample x₀ that a prediction about xₜ stands for."""
        signal, noise = math.sqrt(self.alphas_cumprod[t]), math.sqrt(1 - self.alphas_cumprod[t])
        if prediction_type == "v_prediction":
            return signal * x_t - noise * prediction
        return (x_t - noise * prediction) / signal if prediction_type == "epsilon" else prediction

    def predicted_noise(self, x: Tensor, x_t: Tensor, t: int) -> Tensor:
        """Return the noise ε with which the sample x became xₜ."""
        return (x_t - math.sqrt(self.alphas_cumprod[t]) * x) / math.sqrt(1 - self.alphas_cumprod[t])

    def posterior(self, x: Tensor, x_t: Tensor, t: int, s: int) -> tuple[Tensor, float]:
        """Return mean and standard deviation of q(xₛ | xₜ, x₀), for s < t."""
        alpha = self.alphas_cumprod[t] / self.alphas_cumprod[s]
        of_sample = math.sqrt(self.alphas_cumprod[s]) * (1 - alpha) / (1 - self.alphas_cumprod[t])
        of_state = math.sqrt(alpha) * (1 - self.alphas_cumprod[s]) / (1 - self.alphas_cumprod[t])
        return of_sample * x + of_state * x_t, self.posterior_std(t, s)

    def posterior_std(self, t: int, s: int) -> float:
        """Return the standard deviation of q(xₛ | xₜ, x₀), for s < t."""
        bar_t, bar_s = self.alphas_cumprod[t], self.alphas_cumprod[s]
        return math.sqrt((1 - bar_t / bar_s) * (1 - bar_s) / (1 - bar_t))


Step = Callable[[NoiseScheduler, Tensor, Tensor, int, int, Tensor], Tensor]
"""From the predicted sample and xₜ to the state after s < t steps, with fresh noise."""


def ddpm_step(scheduler: NoiseScheduler, x: Tensor, x_t: Tensor, t: int, s: int, fresh: Tensor) -> Tensor:
    """Draw from the posterior (ancestral sampling)."""
    mean, std = scheduler.posterior(x, x_t, t, s)
    return mean + std * fresh


def ddim_step(eta: float) -> Step:
    """Return the DDIM step: it follows the noise that is there already, and replaces a share eta of it by new noise."""

    def step(scheduler: NoiseScheduler, x: Tensor, x_t: Tensor, t: int, s: int, fresh: Tensor) -> Tensor:
        std = eta * scheduler.posterior_std(t, s)
        followed = math.sqrt(max(1 - scheduler.alphas_cumprod[s] - std**2, 0.0))
        mean = math.sqrt(scheduler.alphas_cumprod[s]) * x + followed * scheduler.predicted_noise(x, x_t, t)
        return mean + std * fresh

    return step


def sampling_timesteps(timesteps: int, steps: int) -> list[int]:
    """Return at which timesteps a sampler of so many steps stops, from the last down to 0."""
    steps = min(steps, timesteps)
    return [round(timesteps * i / steps) for i in range(steps, -1, -1)]


def _expand_like(value_B: Tensor, x: Tensor) -> Tensor:
    return value_B.view(-1, *[1] * (x.ndim - 1))
