"""The critic whose slope is held near 1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.tasks import Learning
from dlx.tasks._generative.gan_module import AdversarialModule, squared_gradient_norm
from dlx.tasks._generative.gan_spec import DISCRIMINATOR


class WGANModule(AdversarialModule):
    """A generator and a critic, whose slope a penalty (0 for none) or clipped weights (None for none) hold."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        latent: int,
        critic_steps: int,
        conditional: bool,
        metrics: Mapping[str, Metric],
        penalty: float,
        clip: float | None,
    ) -> None:
        super().__init__(networks, facts, learning, "wasserstein", latent, critic_steps, conditional, metrics)
        self.penalty_weight, self.clip = penalty, clip

    def restrain(self) -> None:
        if self.clip is not None:
            with torch.no_grad():
                for weight in self.networks[DISCRIMINATOR].parameters():
                    weight.clamp_(-self.clip, self.clip)

    def gradient_penalty(self, real: Tensor, made: Tensor, label_B: Tensor | None) -> Tensor | float:
        if not self.penalty_weight:
            return 0.0
        share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
        between = torch.lerp(made.detach().to(real.dtype), real, share).requires_grad_()
        norm_B = (squared_gradient_norm(self.score(between, label_B), between) + 1e-12).sqrt()
        return self.penalty_weight * (norm_B - 1).square().mean()
