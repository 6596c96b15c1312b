"""The variational autoencoder. B batch, Z code, K importance samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._generative.autoencoder_spec import DECODER, ENCODER
from dlx.tasks._generative.latent import STEPS, WAYS, images_along, slerp
from dlx.tasks._unsupervised.module import FixedNoise, UnsupervisedModule, flat

if TYPE_CHECKING:
    from dlx.tasks.vae import VAE

BOTH = (ENCODER, DECODER)
SHEET, SAMPLES = 10, 64
TRAVERSED, REACH = 10, 2.5  # numbers of the code that are walked along, from −2.5 to 2.5 deviations


class VAEModule(UnsupervisedModule):
    """Maximizes the evidence lower bound."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: VAE) -> None:
        tighter = ["iwae_loss"] if task.importance_samples else []
        super().__init__(networks, facts, learning, [*task.per_sample, *tighter], task.metrics)
        self.task = task
        self.drawn = FixedNoise(seed=1)

    def encoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log-variance (B, Z) of the codes of inputs."""
        mean_BZ, log_variance_BZ = self.networks[ENCODER](x).float().chunk(2, 1)
        return mean_BZ, log_variance_BZ

    def embed(self, batch: Batch) -> Tensor:
        """Return the mean code (B, Z) of each sample of a batch."""
        return self.encoded(self.input_of(batch))[0]

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update_together(BOTH, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the mean negative bound of a batch, with β and what codes have free."""
        x = self.input_of(batch)
        mean_BZ, log_variance_BZ = self.encoded(x)
        code_BZ = mean_BZ + (0.5 * log_variance_BZ).exp() * torch.randn_like(mean_BZ)
        kl_Z = divergence(mean_BZ, log_variance_BZ).mean(0)
        costly = kl_Z.clamp_min(self.task.free_bits).sum() if self.task.free_bits else kl_Z.sum()
        loss: Tensor = self.negative_log_likelihood(code_BZ, x).mean() + self.beta() * costly
        return loss

    def beta(self) -> float:
        """Return what the divergence counts in this step."""
        steps = self.task.kl_annealing
        whole = steps * self.planned_steps if steps < 1 else steps
        return self.task.beta * min(1.0, self.trainer.global_step / whole) if whole else self.task.beta

    def negative_log_likelihood(self, code_BZ: Tensor, x: Tensor) -> Tensor:
        """Return −log p(x|z) in nats for every sample."""
        decoded = self.networks[DECODER](code_BZ).float()
        if self.task.likelihood == "bernoulli":
            return flat(F.binary_cross_entropy_with_logits(decoded, x, reduction="none")).sum(1)
        deviation = self.task.std
        constant = 0.5 * math.log(2 * math.pi) + math.log(deviation)
        return flat(0.5 * ((decoded - x) / deviation).square() + constant).sum(1)

    def decoded(self, code_BZ: Tensor) -> Tensor:
        """Return the mean of p(x|z), in the units that the network sees."""
        made: Tensor = self.networks[DECODER](code_BZ)
        return made.sigmoid() if self.task.likelihood == "bernoulli" else made

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.input_of(batch)
        mean_BZ, log_variance_BZ = self.encoded(x)
        deviation_BZ = (0.5 * log_variance_BZ).exp()
        noise_KBZ = self.noise(index_B, (max(self.task.importance_samples, 1), self.task.latent_dim)).transpose(0, 1)
        kl_B = divergence(mean_BZ, log_variance_BZ).sum(1)
        surprise_B = self.negative_log_likelihood(mean_BZ + deviation_BZ * noise_KBZ[0], x)
        found = {"loss": surprise_B + kl_B, "reconstruction_loss": surprise_B, "kl": kl_B}
        found["bits_per_dimension"] = found["loss"] / (math.log(2) * self.spec.elements)
        if self.task.importance_samples:
            found["iwae_loss"] = self._weighted(x, mean_BZ, deviation_BZ, noise_KBZ)
        if self.keeps:
            self.outputs.add(batch["rows"], code=mean_BZ, kl=kl_B)
            if "sheet" not in self.outputs.made:
                self._keep_sheet(x, mean_BZ)
        return found

    def _weighted(self, x: Tensor, mean_BZ: Tensor, deviation_BZ: Tensor, noise_KBZ: Tensor) -> Tensor:
        """Return −log of the mean of p(x, z) / q(z|x) over K codes z of q, for every sample."""
        weights = []
        for noise_BZ in noise_KBZ:
            code_BZ = mean_BZ + deviation_BZ * noise_BZ
            prior_B = -0.5 * code_BZ.square().sum(1)
            posterior_B = (-0.5 * noise_BZ.square() - deviation_BZ.log()).sum(1)  # the constants of both cancel
            weights.append(prior_B - posterior_B - self.negative_log_likelihood(code_BZ, x))
        return math.log(len(weights)) - torch.stack(weights).logsumexp(0)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x = self.input_of(batch)
        again = self.decoded(self.encoded(x)[0])
        return torch.cat([flat((again - x).square()).mean(1, keepdim=True), flat(again)], 1)

    # -- what it makes ------------------------------------------------------------------------------------------------

    def made(self, batch: Batch, index_B: Tensor) -> Tensor:
        return self.decoded(self.drawn(index_B, (self.task.latent_dim,)))

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Tensor:
        """Return n samples of codes drawn from N(0, I), each the mean of its distribution."""
        noise_NZ = torch.randn(n, self.task.latent_dim, generator=torch.Generator().manual_seed(seed))
        return self.decoded(noise_NZ.to(self.device))

    @torch.no_grad()
    def show(self, few: bool = False) -> None:
        self.outputs.made["samples"] = as_picture(self.sample(SAMPLES, 0), self.spec).numpy()
        if self.spec.axes == "CHW" and self.outputs.rows:
            means_NZ = torch.cat(self.outputs.values["code"])
            ways = {"traversal": traversed(means_NZ), "interpolation": slerp(*_pairs(means_NZ), STEPS)}
            for name, codes_RSZ in ways.items():
                images = images_along(self.decoded, codes_RSZ.to(self.device), self.spec)
                self.outputs.made[name] = images.numpy()

    def _keep_sheet(self, x: Tensor, mean_BZ: Tensor) -> None:
        if self.spec.axes == "CHW":
            pairs = (x[:SHEET], self.decoded(mean_BZ[:SHEET]))
            self.outputs.made["sheet"] = torch.stack([as_picture(images, self.spec) for images in pairs]).numpy()


def traversed(means_NZ: Tensor) -> Tensor:
    """Return codes (R, S, Z) along the numbers of the code that say the most, the others being 0."""
    chosen = means_NZ.var(0).argsort(descending=True)[:TRAVERSED]
    codes_RSZ = torch.zeros(len(chosen), STEPS, means_NZ.shape[1])
    for row, number in enumerate(chosen):
        codes_RSZ[row, :, number] = torch.linspace(-REACH, REACH, STEPS)
    return codes_RSZ


def _pairs(means_NZ: Tensor) -> tuple[Tensor, Tensor]:
    """Return the codes of samples between which one can go."""
    ways = min(WAYS, len(means_NZ) // 2)
    return means_NZ[:ways], means_NZ[ways : 2 * ways]


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) ‖ N(0, 1)) in nats, element by element."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
