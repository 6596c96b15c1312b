"""Variational autoencoder: the evidence lower bound (ELBO). B batch, Z code, K importance samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._generative.autoencoder_spec import DECODER, ENCODER
from dlx.tasks._generative.latent import PATHS, STEPS, decode_path, slerp
from dlx.tasks._unsupervised.module import FixedNoise, UnsupervisedModule, to_vectors

if TYPE_CHECKING:
    from dlx.tasks.vae import VAE

SHEET, SAMPLES = 10, 64
TRAVERSED, REACH = 10, 2.5  # dimensions of the code that are walked along, from −2.5 to 2.5 standard deviations
NOISE = "noise"
"""Field of a batch: the noise (B, Z) of its codes."""


class VAEModule(UnsupervisedModule):
    """Maximizes the evidence lower bound."""

    task: VAE

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: VAE) -> None:
        super().__init__(networks, facts, learning, task)
        self.prior_noise = FixedNoise(seed=1)

    def sample_metrics(self) -> Sequence[str]:
        return [*self.task.per_sample, *(["iwae_loss"] if self.task.importance_samples else [])]

    def generated_metrics(self) -> Mapping[str, Metric]:
        return self.task.metrics

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log-variance (B, Z) of the codes of inputs."""
        mean_BZ, log_variance_BZ = self.networks[ENCODER](x).float().chunk(2, 1)
        return mean_BZ, log_variance_BZ

    def embed(self, batch: Batch) -> Tensor:
        """Return the mean code (B, Z) of each sample of a batch."""
        return self.encode(self.input_of(batch))[0]

    # -- loss ---------------------------------------------------------------------------------------------------------

    def prepare_step(self, batch: Batch) -> Batch:
        rows = batch["rows"]
        return {**batch, NOISE: torch.randn(len(rows), self.task.latent_dim, device=rows.device)}

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean negative bound of a batch, with β and free bits."""
        x = self.input_of(batch)
        mean_BZ, log_variance_BZ = self.encode(x)
        code_BZ = mean_BZ + (0.5 * log_variance_BZ).exp() * batch[NOISE]
        kl_Z = kl_divergence(mean_BZ, log_variance_BZ).mean(0)
        kl = kl_Z.clamp_min(self.task.free_bits).sum() if self.task.free_bits else kl_Z.sum()
        loss: Tensor = self.negative_log_likelihood(code_BZ, x).mean() + self.beta() * kl
        return loss

    def beta(self) -> float:
        """Return the weight of the KL divergence in this step."""
        annealing = self.task.kl_annealing
        steps = annealing * self.total_steps if annealing < 1 else annealing
        return self.task.beta * min(1.0, self.trainer.global_step / steps) if steps else self.task.beta

    def negative_log_likelihood(self, code_BZ: Tensor, x: Tensor) -> Tensor:
        """Return −log p(x|z) in nats for every sample."""
        decoded = self.networks[DECODER](code_BZ).float()
        if self.task.likelihood == "bernoulli":
            return to_vectors(F.binary_cross_entropy_with_logits(decoded, x, reduction="none")).sum(1)
        constant = 0.5 * math.log(2 * math.pi) + math.log(self.task.std)
        return to_vectors(0.5 * ((decoded - x) / self.task.std).square() + constant).sum(1)

    def decode(self, code_BZ: Tensor) -> Tensor:
        """Return the mean of p(x|z), in the units that the network sees."""
        decoded: Tensor = self.networks[DECODER](code_BZ)
        return decoded.sigmoid() if self.task.likelihood == "bernoulli" else decoded

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.input_of(batch)
        mean_BZ, log_variance_BZ = self.encode(x)
        std_BZ = (0.5 * log_variance_BZ).exp()
        noise_KBZ = self.noise(index_B, (max(self.task.importance_samples, 1), self.task.latent_dim)).transpose(0, 1)
        kl_B = kl_divergence(mean_BZ, log_variance_BZ).sum(1)
        nll_B = self.negative_log_likelihood(mean_BZ + std_BZ * noise_KBZ[0], x)
        found = {"loss": nll_B + kl_B, "reconstruction_loss": nll_B, "kl": kl_B}
        found["bits_per_dimension"] = found["loss"] / (math.log(2) * self.spec.elements)
        if self.task.importance_samples:
            found["iwae_loss"] = self._iwae_loss(x, mean_BZ, std_BZ, noise_KBZ)
        if self.collects_outputs:
            self.outputs.add(batch["rows"], {"code": mean_BZ, "kl": kl_B})
            if self.spec.axes == "CHW" and "reconstructions" not in self.outputs.extras:
                pairs = (x[:SHEET], self.decode(mean_BZ[:SHEET]))
                images = torch.stack([to_image(images, self.spec) for images in pairs])
                self.outputs.extras["reconstructions"] = images.numpy()
        return found

    def _iwae_loss(self, x: Tensor, mean_BZ: Tensor, std_BZ: Tensor, noise_KBZ: Tensor) -> Tensor:
        """Return −log of the mean of p(x, z) / q(z|x) over K codes z of q, for every sample."""
        log_weights = []
        for noise_BZ in noise_KBZ:
            code_BZ = mean_BZ + std_BZ * noise_BZ
            log_prior_B = -0.5 * code_BZ.square().sum(1)
            log_posterior_B = (-0.5 * noise_BZ.square() - std_BZ.log()).sum(1)  # the constants of both cancel
            log_weights.append(log_prior_B - log_posterior_B - self.negative_log_likelihood(code_BZ, x))
        return math.log(len(log_weights)) - torch.stack(log_weights).logsumexp(0)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return each sample's error and reconstruction (B, 1 + N)."""
        x = self.input_of(batch)
        again = self.decode(self.encode(x)[0])
        return torch.cat([to_vectors((again - x).square()).mean(1, keepdim=True), to_vectors(again)], 1)

    # -- samples ------------------------------------------------------------------------------------------------------

    def generate(self, batch: Batch, index_B: Tensor) -> Tensor:
        return self.decode(self.prior_noise(index_B, (self.task.latent_dim,)))

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Tensor:
        """Return n samples of codes drawn from N(0, I), each the mean of its distribution."""
        noise_NZ = torch.randn(n, self.task.latent_dim, generator=torch.Generator().manual_seed(seed))
        return self.decode(noise_NZ.to(self.device))

    @torch.no_grad()
    def collect_figures(self, few: bool = False) -> None:
        extras = self.outputs.extras
        extras["samples"] = to_image(self.sample(SAMPLES, 0), self.spec).numpy()
        if self.spec.axes == "CHW" and self.outputs.rows:
            means_NZ = torch.cat(self.outputs.values["code"])
            pairs = min(PATHS, len(means_NZ) // 2)
            ends = means_NZ[:pairs], means_NZ[pairs : 2 * pairs]
            for name, codes_RSZ in {"traversal": traverse(means_NZ), "interpolation": slerp(*ends, STEPS)}.items():
                extras[name] = decode_path(self.decode, codes_RSZ.to(self.device), self.spec).numpy()


def traverse(means_NZ: Tensor) -> Tensor:
    """Return codes (R, S, Z) along the dimensions of the code that vary most over samples, the others being 0."""
    chosen = means_NZ.var(0).argsort(descending=True)[:TRAVERSED]
    codes_RSZ = torch.zeros(len(chosen), STEPS, means_NZ.shape[1])
    for row, dimension in enumerate(chosen):
        codes_RSZ[row, :, dimension] = torch.linspace(-REACH, REACH, STEPS)
    return codes_RSZ


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence KL(N(mean, variance) ‖ N(0, 1)) in nats, element by element."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
