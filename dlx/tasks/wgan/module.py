"""Wasserstein GAN: a critic that is kept (nearly) 1-Lipschitz, by a gradient penalty or by weight clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlx.nn.protocols import Batch
from dlx.tasks._generative.gan_module import AdversarialModule, squared_gradient_norm
from dlx.tasks._generative.gan_spec import DISCRIMINATOR

if TYPE_CHECKING:
    from dlx.tasks.wgan import WGAN

INTERPOLATION = "interpolation"
"""Field of a batch: how far from a generated to a real sample the gradient is penalized (B,)."""


class WGANModule(AdversarialModule):
    """A generator and a critic."""

    task: WGAN

    @property
    def adversarial_loss(self) -> str:
        return "wasserstein"

    def prepare_step(self, batch: Batch) -> Batch:
        batch = super().prepare_step(batch)
        if self.task.lipschitz != "gradient_penalty" or not self.task.gradient_penalty_weight:
            return batch
        real = self.input_of(batch)
        return {**batch, INTERPOLATION: torch.rand(len(real), device=real.device, dtype=real.dtype)}

    def gradient_penalty(self, real: Tensor, generated: Tensor, batch: Batch) -> Tensor | float:
        """Return λ (‖∇D(x̂)‖ − 1)² at points x̂ between generated and real samples."""
        if INTERPOLATION not in batch:
            return 0.0
        share = batch[INTERPOLATION].view(-1, *[1] * (real.ndim - 1))
        between = torch.lerp(generated.detach().to(real.dtype), real, share).requires_grad_()
        norm_B = (squared_gradient_norm(self.score(between, self.label_of(batch)), between) + 1e-12).sqrt()
        return self.task.gradient_penalty_weight * (norm_B - 1).square().mean()

    def constrain_weights(self) -> None:
        if self.task.lipschitz == "weight_clipping":
            with torch.no_grad():
                for weight in self.networks[DISCRIMINATOR].parameters():
                    weight.clamp_(-self.task.clip_value, self.task.clip_value)
