from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._generative.gan_spec import Adversarial

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class WGAN(Adversarial):
    """Wasserstein GAN: a GAN whose discriminator, a critic, measures the Wasserstein distance of samples and data.

    The critic maximizes E D(x) − E D(G(z)), which is that distance if the critic is 1-Lipschitz, and the generator
    minimizes it; there is a gradient even where both are far apart, so that modes are rarely lost. The critic is kept
    Lipschitz by a gradient penalty, λ E (‖∇D(x̂)‖ − 1)² at points between samples and data, or by weight clipping. The
    penalty is of each sample's gradient: no batch normalization in the critic. Adam with betas [0.5, 0.9] is usual,
    RMSprop with clipping.

    Shapes:  generator: (latent_dim,) → sample; discriminator: sample → (1,).
    Units:   train/loss is the critic's: minus the estimated distance, plus the gradient penalty.
    Source:  Arjovsky et al. 2017, arXiv:1701.07875; gradient penalty: Gulrajani et al. 2017, arXiv:1704.00028.

    Example:
        {type: wgan, latent_dim: 32, lipschitz: gradient_penalty, gradient_penalty_weight: 10.0}
    """

    type: Literal["wgan"] = "wgan"
    critic_steps: int = Field(5, gt=0)
    """Optimizer steps of the critic, each with a batch of its own, for one of the generator."""
    lipschitz: Literal["gradient_penalty", "weight_clipping"] = "gradient_penalty"
    """How the critic is kept (nearly) 1-Lipschitz."""
    gradient_penalty_weight: float = Field(10.0, ge=0)
    """With `lipschitz: gradient_penalty`: λ, its factor."""
    clip_value: float = Field(0.01, gt=0)
    """With `lipschitz: weight_clipping`: greatest absolute value of the critic's weights."""

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.wgan.module import WGANModule

        return WGANModule(networks, facts, learning, self)
