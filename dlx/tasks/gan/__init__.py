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


class GAN(Adversarial):
    """Generative adversarial network: a generator learns to make samples that a discriminator cannot tell from data.

    D(x) and D(G(z)) are scores. minimax: D maximizes log σ(D(x)) + log(1 − σ(D(G(z)))), which G minimizes; its gradient
    vanishes where D is sure. non_saturating: G maximizes log σ(D(G(z))) instead. least_squares pulls scores to 1 and 0.
    hinge: max(0, 1 − D(x)) + max(0, 1 + D(G(z))), and G maximizes D(G(z)); stable with spectral norms. All may collapse
    onto few modes (mode collapse), which is measured and reported. Samples are sharper than a VAE's, in one step.

    Shapes:  generator: (latent_dim,) → sample; discriminator: sample → (1,).
    Units:   train/loss is the discriminator's; mmd is in squared units of its kernel, the other metrics are shares;
             distances are between the values that the networks see.
    Source:  Goodfellow et al. 2014, arXiv:1406.2661; least squares: Mao et al. 2017; hinge: Lim & Ye 2017; R1:
             Mescheder et al. 2018, arXiv:1801.04406; conditional: Mirza & Osindero 2014, arXiv:1411.1784.

    Example:
        {type: gan, latent_dim: 32, loss: hinge, r1_gamma: 0.1}
    """

    type: Literal["gan"] = "gan"
    loss: Literal["minimax", "non_saturating", "least_squares", "hinge"] = "non_saturating"
    """Adversarial loss that the two networks minimize."""
    r1_gamma: float = Field(0.0, ge=0)
    """γ of R1 regularization: the discriminator's loss has γ/2 times the squared gradient of its scores at the data."""

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.gan.module import GANModule

        return GANModule(networks, facts, learning, self)
