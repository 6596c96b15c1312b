"""Autoencoders: through a code and back, from inputs that may be disturbed. B batch, Z code."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._generative.autoencoder_spec import DECODER, ENCODER, Autoencoding
from dlx.tasks._unsupervised.module import UnsupervisedModule, flat, span

BOTH = (ENCODER, DECODER)
SHEET = 10  # samples on a sheet of reconstructions


class AutoencoderModule(UnsupervisedModule):
    """Learns to give its input back."""

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Autoencoding
    ) -> None:
        super().__init__(networks, facts, learning, self.singly(task, facts))
        self.task = task
        self.low, self.high = span(self.spec)

    def singly(self, task: Autoencoding, facts: DataFacts) -> list[str]:
        """Return the metrics that are means over samples."""
        return list(task.metric_names(facts))

    def embed(self, batch: Batch) -> Tensor:
        """Return the codes (B, Z) of a batch."""
        code_BZ: Tensor = self.networks[ENCODER](self.input_of(batch))
        return code_BZ

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update_together(BOTH, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the mean error of a batch's reconstruction from what noise left of it, and what codes must pay."""
        x = self.input_of(batch)
        seen = x if self.task.noise == "none" else self.disturbed(x, torch.randn_like(x))
        seen = seen.detach().requires_grad_() if self.task.contractive_weight else seen
        code_BZ = self.networks[ENCODER](seen)
        loss: Tensor = self.error(self.networks[DECODER](code_BZ), x).mean() + self.sparse(code_BZ)
        if self.task.contractive_weight:
            loss = loss + self.task.contractive_weight * contraction(code_BZ, seen, torch.randn_like(code_BZ))
        return loss

    def sparse(self, code_BZ: Tensor) -> Tensor | float:
        """Return what codes must pay for not being near zero."""
        if self.task.sparsity == "l1":
            return self.task.sparsity_weight * code_BZ.abs().sum(1).mean()
        if self.task.sparsity == "kl":
            return self.task.sparsity_weight * divergence(self.task.target_activation, code_BZ.mean(0)).sum()
        return 0.0

    def error(self, decoded: Tensor, x: Tensor) -> Tensor:
        """Return each sample's loss (B,)."""
        if self.task.loss == "bce":
            return flat(F.binary_cross_entropy_with_logits(decoded, x, reduction="none")).mean(1)
        return flat((decoded - x).square()).mean(1)

    def reconstructed(self, decoded: Tensor) -> Tensor:
        """Return what the decoder's output means, in the units of the input."""
        return decoded.sigmoid() if self.task.loss == "bce" else decoded

    def disturbed(self, x: Tensor, normal: Tensor) -> Tensor:
        """Return inputs with noise, made of as many standard normal numbers."""
        if self.task.noise == "gaussian":
            return x + self.task.noise_level * normal
        uniform: Tensor = torch.special.ndtr(normal)
        if self.task.noise == "masking":
            return x * (uniform >= self.task.noise_level)
        half = self.task.noise_level / 2
        peppered = torch.where(uniform < half, torch.full_like(x, self.low), x)
        return torch.where(uniform > 1 - half, torch.full_like(x, self.high), peppered)

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.input_of(batch)
        seen = x if self.task.noise == "none" else self.disturbed(x, self.noise(index_B, x.shape[1:]))
        code_BZ = self.networks[ENCODER](seen).float()
        decoded = self.networks[DECODER](code_BZ).float()
        again = self.reconstructed(decoded)
        found = {"loss": self.error(decoded, x), "mse": flat((again - x).square()).mean(1)}
        found["psnr"] = self._psnr(found["mse"])
        found["psnr_gain"] = found["psnr"] - self._psnr(flat((seen - x).square()).mean(1))
        if self.keeps:
            self.outputs.add(batch["rows"], code=code_BZ, error=found["mse"], **self.also_kept(batch))
            self.keep_sheet(x, seen, again, found["mse"])
        return found

    def also_kept(self, batch: Batch) -> dict[str, Tensor]:
        """Return what else pictures need of each sample."""
        return {}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x = self.input_of(batch)
        again = self.reconstructed(self.networks[DECODER](self.networks[ENCODER](x)))
        return torch.cat([flat((again - x).square()).mean(1, keepdim=True), flat(again)], 1)

    def _psnr(self, mse_B: Tensor) -> Tensor:
        """Return the ratio of the greatest possible signal to the error, in decibels."""
        return 20 * math.log10(self.high - self.low) - 10 * mse_B.clamp_min(1e-12).log10()

    def keep_sheet(self, x: Tensor, seen: Tensor, again: Tensor, error_B: Tensor) -> None:
        """Keep the first samples, what noise left of them, and what became of that."""
        if self.spec.axes != "CHW" or "sheet" in self.outputs.made:
            return
        strips = [x, again] if self.task.noise == "none" else [x, seen, again]
        pictures = torch.stack([as_picture(strip[:SHEET], self.spec) for strip in strips])
        self.outputs.made["sheet"] = pictures.numpy()


def contraction(code_BZ: Tensor, x: Tensor, projection_BZ: Tensor) -> Tensor:
    """Return an unbiased estimate of the mean of ‖∂code/∂x‖² over a batch, from one projection with N(0, 1)."""
    (slope,) = torch.autograd.grad((code_BZ * projection_BZ).sum(), x, create_graph=True)
    return flat(slope).square().sum(1).mean()


def divergence(wanted: float, mean_Z: Tensor) -> Tensor:
    """Return KL(Bernoulli(wanted) ‖ Bernoulli(mean)) for each number of a code between 0 and 1."""
    p = mean_Z.clamp(1e-6, 1 - 1e-6)
    return wanted * (wanted / p).log() + (1 - wanted) * ((1 - wanted) / (1 - p)).log()
