"""The discriminator that pays for its slope at the data."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.tasks import Learning
from dlx.tasks._generative.gan_module import AdversarialModule, squared_gradient_norm


class GANModule(AdversarialModule):
    """A generator and a discriminator, with R1."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        game: str,
        latent: int,
        critic_steps: int,
        conditional: bool,
        metrics: Mapping[str, Metric],
        r1: float,
    ) -> None:
        super().__init__(networks, facts, learning, game, latent, critic_steps, conditional, metrics)
        self.r1 = r1

    def gradient_penalty(self, real: Tensor, made: Tensor, label_B: Tensor | None) -> Tensor | float:
        if not self.r1:
            return 0.0
        at = real.detach().requires_grad_()
        return 0.5 * self.r1 * squared_gradient_norm(self.score(at, label_B), at).mean()
