"""Autoencoders: an encoder to a code and a decoder back, from inputs that may be noisy. B batch, Z code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._generative.autoencoder_spec import DECODER, ENCODER
from dlx.tasks._unsupervised.module import FixedNoise, UnsupervisedModule, to_vectors, value_range

if TYPE_CHECKING:
    from dlx.tasks._generative.autoencoder_spec import AutoencoderTask

SHEET = 10  # samples on a sheet of reconstructions
TRAINING_SEED = 1  # of noise on samples that baselines are fitted on: another one than in evaluation
NOISE, PROJECTION = "noise", "projection"
"""Fields of a batch: standard normal numbers that make an input noisy, and a code's random projection."""


class AutoencoderModule(UnsupervisedModule):
    """Learns to reconstruct its input."""

    task: AutoencoderTask

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: AutoencoderTask
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.low, self.high = value_range(self.spec)

    def sample_metrics(self) -> Sequence[str]:
        return list(self.task.metric_names(self.facts))

    def embed(self, batch: Batch) -> Tensor:
        """Return the codes (B, Z) of a batch."""
        code_BZ: Tensor = self.networks[ENCODER](self.input_of(batch))
        return code_BZ

    # -- loss ---------------------------------------------------------------------------------------------------------

    def prepare_step(self, batch: Batch) -> Batch:
        x, drawn = self.input_of(batch), {}
        if self.task.noise != "none":
            drawn[NOISE] = torch.randn_like(x)
        if self.task.contractive_weight:
            drawn[PROJECTION] = torch.randn(len(x), self.task.latent_dim, device=x.device, dtype=x.dtype)
        return {**batch, **drawn}

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean reconstruction error of a batch, with what codes are penalized for."""
        x = self.input_of(batch)
        seen = self.add_noise(x, batch[NOISE]) if NOISE in batch else x
        seen = seen.detach().requires_grad_() if self.task.contractive_weight else seen
        code_BZ = self.networks[ENCODER](seen)
        loss: Tensor = self.reconstruction_loss(self.networks[DECODER](code_BZ), x).mean() + self.sparsity(code_BZ)
        if self.task.contractive_weight:
            penalty = contractive_penalty(code_BZ, seen, batch[PROJECTION])
            loss = loss + self.task.contractive_weight * penalty
        return loss

    def sparsity(self, code_BZ: Tensor) -> Tensor | float:
        """Return the sparsity penalty on codes."""
        if self.task.sparsity == "l1":
            return self.task.sparsity_weight * code_BZ.abs().sum(1).mean()
        if self.task.sparsity == "kl":
            return self.task.sparsity_weight * bernoulli_kl(self.task.target_activation, code_BZ.mean(0)).sum()
        return 0.0

    def reconstruction_loss(self, decoded: Tensor, x: Tensor) -> Tensor:
        """Return each sample's loss (B,)."""
        if self.task.loss == "bce":
            return to_vectors(F.binary_cross_entropy_with_logits(decoded, x, reduction="none")).mean(1)
        return to_vectors((decoded - x).square()).mean(1)

    def reconstruction(self, decoded: Tensor) -> Tensor:
        """Return the reconstruction that the decoder's output stands for, in the units of the input."""
        return decoded.sigmoid() if self.task.loss == "bce" else decoded

    def add_noise(self, x: Tensor, normal: Tensor) -> Tensor:
        """Return noisy inputs, made of as many standard normal numbers."""
        if self.task.noise == "gaussian":
            return x + self.task.noise_level * normal
        uniform: Tensor = torch.special.ndtr(normal)
        if self.task.noise == "masking":
            return x * (uniform >= self.task.noise_level)
        half = self.task.noise_level / 2
        peppered = torch.where(uniform < half, torch.full_like(x, self.low), x)
        return torch.where(uniform > 1 - half, torch.full_like(x, self.high), peppered)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.input_of(batch)
        seen = x if self.task.noise == "none" else self.add_noise(x, self.noise(index_B, x.shape[1:]))
        code_BZ = self.networks[ENCODER](seen).float()
        decoded = self.networks[DECODER](code_BZ).float()
        again = self.reconstruction(decoded)
        found = {"loss": self.reconstruction_loss(decoded, x), "mse": to_vectors((again - x).square()).mean(1)}
        found["psnr"] = self._psnr(found["mse"])
        found["psnr_gain"] = found["psnr"] - self._psnr(to_vectors((seen - x).square()).mean(1))
        if self.collects_outputs:
            values = {"code": code_BZ, "error": found["mse"], **self.extra_outputs(batch)}
            self.outputs.add(batch["rows"], values)
            self.collect_reconstructions(x, seen, again, found["mse"])
        return found

    def baseline_fields(self, batch: Batch, index_B: Tensor, training: bool) -> dict[str, Tensor]:
        x = self.input_of(batch)
        noise = FixedNoise(TRAINING_SEED) if training else self.noise
        seen = x if self.task.noise == "none" else self.add_noise(x, noise(index_B, x.shape[1:]))
        return {self.facts.inputs[0]: seen, "target": x}

    def baseline_metrics(self, prediction: Tensor, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        clean, seen = fields["target"], fields[self.facts.inputs[0]]
        mse_N, before_N = (to_vectors((x - clean).square()).mean(1) for x in (prediction, seen))
        psnr_N = self._psnr(mse_N)
        return {"mse": mse_N.mean(), "psnr": psnr_N.mean(), "psnr_gain": (psnr_N - self._psnr(before_N)).mean()}

    def extra_outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Return what else figures need of each sample."""
        return {}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return each sample's error and reconstruction (B, 1 + N)."""
        x = self.input_of(batch)
        again = self.reconstruction(self.networks[DECODER](self.networks[ENCODER](x)))
        return torch.cat([to_vectors((again - x).square()).mean(1, keepdim=True), to_vectors(again)], 1)

    def _psnr(self, mse_B: Tensor) -> Tensor:
        """Return the peak signal-to-noise ratio in decibels."""
        return 20 * math.log10(self.high - self.low) - 10 * mse_B.clamp_min(1e-12).log10()

    def collect_reconstructions(self, x: Tensor, seen: Tensor, again: Tensor, error_B: Tensor) -> None:
        """Collect the first images, with noise, and reconstructed."""
        if self.spec.axes != "CHW" or "reconstructions" in self.outputs.extras:
            return
        rows = [x, again] if self.task.noise == "none" else [x, seen, again]
        images = torch.stack([to_image(row[:SHEET], self.spec) for row in rows])
        self.outputs.extras["reconstructions"] = images.numpy()


def contractive_penalty(code_BZ: Tensor, x: Tensor, projection_BZ: Tensor) -> Tensor:
    """Return an unbiased estimate of the mean of ‖∂code/∂x‖² over a batch, from one projection with N(0, 1)."""
    (gradient,) = torch.autograd.grad((code_BZ * projection_BZ).sum(), x, create_graph=True)
    return to_vectors(gradient).square().sum(1).mean()


def bernoulli_kl(p: float, mean_Z: Tensor) -> Tensor:
    """Return the KL divergence KL(Bernoulli(p) ‖ Bernoulli(mean)) for each number of a code between 0 and 1."""
    q = mean_Z.clamp(1e-6, 1 - 1e-6)
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
