"""GAN: the discriminator may be penalized for the gradient of its scores at the data (R1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from dlx.nn.protocols import Batch
from dlx.tasks._generative.gan_module import AdversarialModule, squared_gradient_norm

if TYPE_CHECKING:
    from dlx.tasks.gan import GAN


class GANModule(AdversarialModule):
    """A generator and a discriminator, with R1 regularization."""

    task: GAN

    @property
    def adversarial_loss(self) -> str:
        return self.task.loss

    def gradient_penalty(self, real: Tensor, generated: Tensor, batch: Batch) -> Tensor | float:
        if not self.task.r1_gamma:
            return 0.0
        at = real.detach().requires_grad_()
        return 0.5 * self.task.r1_gamma * squared_gradient_norm(self.score(at, self.label_of(batch)), at).mean()
