"""Generative adversarial networks: a generator and a discriminator that learn from one another. B batch, Z latent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.nn.context import apply
from dlx.nn.features import penultimate_features
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._generative.gan_spec import COLLAPSED, DISCRIMINATOR, GENERATOR
from dlx.tasks._generative.latent import PATHS, STEPS, decode_path, slerp
from dlx.tasks._unsupervised.module import UnsupervisedModule, to_vectors

if TYPE_CHECKING:
    from dlx.tasks._generative.gan_spec import Adversarial

SHEET, CLOUD = 64, 2000  # samples that are drawn: images on a sheet, points
NOISE = "noise"
"""Field of a batch: noise (B, Z), of which the generator makes a sample."""

DiscriminatorLoss = Callable[[Tensor, Tensor], Tensor]
GeneratorLoss = Callable[[Tensor], Tensor]
ADVERSARIAL_LOSSES: dict[str, tuple[DiscriminatorLoss, GeneratorLoss]] = {
    "minimax": (lambda r, f: F.softplus(-r) + F.softplus(f), lambda f: -F.softplus(f)),
    "non_saturating": (lambda r, f: F.softplus(-r) + F.softplus(f), lambda f: F.softplus(-f)),
    "least_squares": (lambda r, f: 0.5 * ((r - 1).square() + f.square()), lambda f: 0.5 * (f - 1).square()),
    "hinge": (lambda r, f: F.relu(1 - r) + F.relu(1 + f), lambda f: -f),
    "wasserstein": (lambda r, f: f - r, lambda f: -f),
}
"""What the discriminator minimizes, of its scores for a real and a generated sample; and what the generator does."""


class AdversarialModule(UnsupervisedModule):
    """Two networks, each with an optimizer of its own; `adversarial_loss` says what each of them minimizes."""

    task: Adversarial

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Adversarial
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.of_discriminator, self.of_generator = ADVERSARIAL_LOSSES[self.adversarial_loss]
        self.notes: list[str] = []

    @property
    def adversarial_loss(self) -> str:
        """Which of the adversarial losses is minimized."""
        raise NotImplementedError

    def generated_metrics(self) -> Mapping[str, Metric]:
        return self.task.metrics

    # -- training -----------------------------------------------------------------------------------------------------

    def train_batch(self, batch: Batch) -> None:
        """Take a step of the discriminator, and of the generator after every `critic_steps` of them."""
        self.log_train_loss(self.take_step(self.prepare_step(batch), self.discriminator_loss, DISCRIMINATOR))
        self.constrain_weights()
        if (self.trainer.global_step + 1) % self.task.critic_steps == 0:
            self.take_step(self.with_noise(batch), self.generator_loss, GENERATOR)

    def prepare_step(self, batch: Batch) -> Batch:
        return self.with_noise(batch)

    def with_noise(self, batch: Batch) -> Batch:
        """Return a batch with noise for as many samples."""
        x = self.input_of(batch)
        return {**batch, NOISE: torch.randn(len(x), self.task.latent_dim, device=x.device, dtype=x.dtype)}

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the discriminator's mean loss on a batch and as many generated samples."""
        real, label_B = self.input_of(batch), self.label_of(batch)
        with torch.no_grad():
            generated = self.run_generator(batch[NOISE], label_B)
        loss = self.of_discriminator(self.score(real, label_B), self.score(generated, label_B)).mean()
        return loss + self.gradient_penalty(real, generated, batch)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the generator's mean loss on as many samples as a batch has."""
        label_B = self.label_of(batch)
        return self.of_generator(self.score(self.run_generator(batch[NOISE], label_B), label_B)).mean()

    def gradient_penalty(self, real: Tensor, generated: Tensor, batch: Batch) -> Tensor | float:
        """Return what is added to the discriminator's loss to keep the gradient of its scores small."""
        return 0.0

    def constrain_weights(self) -> None:
        """Bring the discriminator's weights back to where they may be, after its step."""

    def run_generator(self, noise_BZ: Tensor, label_B: Tensor | None) -> Tensor:
        """Return the generator's samples of noise."""
        samples: Tensor = apply(self.networks[GENERATOR], noise_BZ, _label_context(label_B))
        return samples

    def score(self, x: Tensor, label_B: Tensor | None) -> Tensor:
        """Return the discriminator's scores (B,): the higher, the more it takes samples for real."""
        score_B1: Tensor = apply(self.networks[DISCRIMINATOR], x, _label_context(label_B))
        return score_B1[:, 0]

    def label_of(self, batch: Batch) -> Tensor | None:
        """Return the classes of a batch, if the networks are conditioned on them."""
        return batch["target"] if self.task.conditional else None

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        if self.collects_outputs:
            real = {} if self.spec.axes == "CHW" else {"real": to_vectors(self.input_of(batch))}
            self.outputs.add(batch["rows"], real)
        return {}

    def generate(self, batch: Batch, index_B: Tensor) -> Tensor:
        return self.run_generator(self.noise(index_B, (self.task.latent_dim,)), self.label_of(batch))

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the discriminator's score of each sample (B, 1)."""
        return self.score(self.input_of(batch), self.label_of(batch))[:, None]

    def embed(self, batch: Batch) -> Tensor:
        """Return the input of the discriminator's last layer with weights, one vector (B, F) a sample."""
        run = lambda: self.score(self.input_of(batch), self.label_of(batch))  # noqa: E731
        return penultimate_features(self.networks[DISCRIMINATOR], run)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.notes = self._collapse_notes()

    def _collapse_notes(self) -> list[str]:
        """Return sentences that say where the generator has collapsed onto a part of the data."""
        found = {name.removeprefix("test/"): float(v) for name, v in self.compute_metrics("test").items()}
        notes = []
        modes = found.get("modes_covered")
        if modes is not None and modes < len(self.facts.classes):
            notes.append(f"the generator has collapsed: it covers {modes:.0f} of {len(self.facts.classes)} modes")
        if found.get("diversity", 1.0) < COLLAPSED:
            share = found["diversity"]
            notes.append(f"the generator has collapsed: its samples differ {share:.2f} times as much as the data do")
        return notes

    # -- samples ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, label: int | None = None) -> Tensor:
        """Return n samples, of a class or of all in turn; the same for the same seed."""
        noise_NZ = self._seeded_noise(n, seed)
        if not self.task.conditional:
            return self.run_generator(noise_NZ, None)
        turns = torch.arange(n, device=self.device) % len(self.facts.classes)
        return self.run_generator(noise_NZ, turns if label is None else torch.full_like(turns, label))

    def _seeded_noise(self, n: int, seed: int) -> Tensor:
        return torch.randn(n, self.task.latent_dim, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def collect_figures(self, few: bool = False) -> None:
        are_images = self.spec.axes == "CHW"
        samples = self.sample(SHEET if are_images else CLOUD, 0)
        self.outputs.extras["samples"] = to_image(samples, self.spec).numpy()
        if are_images:
            self.outputs.extras["interpolation"] = self._interpolation().numpy()

    @torch.no_grad()
    def _interpolation(self) -> Tensor:
        """Return images (R, S, C, H, W) on paths from one noise to another."""
        noise_NZ = self._seeded_noise(2 * PATHS, 0)
        label_N = torch.arange(PATHS, device=self.device).repeat_interleave(STEPS) % max(len(self.facts.classes), 1)
        labels = label_N if self.task.conditional else None
        paths_RSZ = slerp(noise_NZ[:PATHS], noise_NZ[PATHS:], STEPS)
        return decode_path(lambda codes_NZ: self.run_generator(codes_NZ, labels), paths_RSZ, self.spec)


def _label_context(label_B: Tensor | None) -> dict[str, Tensor]:
    return {} if label_B is None else {"label": label_B}


def squared_gradient_norm(score_B: Tensor, x: Tensor) -> Tensor:
    """Return the squared norm of the gradient of each sample's score by the sample, (B,), itself differentiable."""
    (gradient,) = torch.autograd.grad(score_B.sum(), x, create_graph=True)
    return to_vectors(gradient).square().sum(1)
