"""A generator and a discriminator that learn from one another. B batch, Z latent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.nn.context import apply
from dlx.nn.features import before_last
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._generative.gan_spec import COLLAPSED, DISCRIMINATOR, GENERATOR
from dlx.tasks._generative.latent import STEPS, WAYS, images_along, slerp
from dlx.tasks._unsupervised.module import UnsupervisedModule, flat

SHEET, CLOUD = 64, 2000

DiscriminatorLoss = Callable[[Tensor, Tensor], Tensor]
GeneratorLoss = Callable[[Tensor], Tensor]
GAMES: dict[str, tuple[DiscriminatorLoss, GeneratorLoss]] = {
    "minimax": (lambda r, f: F.softplus(-r) + F.softplus(f), lambda f: -F.softplus(f)),
    "non_saturating": (lambda r, f: F.softplus(-r) + F.softplus(f), lambda f: F.softplus(-f)),
    "least_squares": (lambda r, f: 0.5 * ((r - 1).square() + f.square()), lambda f: 0.5 * (f - 1).square()),
    "hinge": (lambda r, f: F.relu(1 - r) + F.relu(1 + f), lambda f: -f),
    "wasserstein": (lambda r, f: f - r, lambda f: -f),
}
"""What the discriminator minimizes, of its scores for a real and a made sample; and what the generator does."""


class AdversarialModule(UnsupervisedModule):
    """Two networks, each with an optimizer of its own; `game` says what each of them minimizes."""

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
    ) -> None:
        super().__init__(networks, facts, learning, [], metrics)
        self.discriminator_loss, self.generator_loss = GAMES[game]
        self.latent, self.critic_steps, self.conditional = latent, critic_steps, conditional
        self.notes: list[str] = []

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update(DISCRIMINATOR, batch, self.discriminating))
        self.restrain()
        if (self.trainer.global_step + 1) % self.critic_steps == 0:
            self.update(GENERATOR, batch, self.generating)

    def discriminating(self, batch: Batch) -> Tensor:
        """Return the discriminator's mean loss on a batch and as many samples that are made."""
        real, label_B = self.input_of(batch), self.label_of(batch)
        with torch.no_grad():
            made = self.make(self.drawn(real), label_B)
        loss = self.discriminator_loss(self.score(real, label_B), self.score(made, label_B)).mean()
        return loss + self.gradient_penalty(real, made, label_B)

    def gradient_penalty(self, real: Tensor, made: Tensor, label_B: Tensor | None) -> Tensor | float:
        """Return what is added to the discriminator's loss to keep its slope small."""
        return 0.0

    def restrain(self) -> None:
        """Bring the discriminator's weights back to where they may be, after its step."""

    def generating(self, batch: Batch) -> Tensor:
        """Return the generator's mean loss on as many samples as a batch has."""
        label_B = self.label_of(batch)
        made = self.make(self.drawn(self.input_of(batch)), label_B)
        return self.generator_loss(self.score(made, label_B)).mean()

    def drawn(self, like: Tensor) -> Tensor:
        """Return noise for as many samples."""
        return torch.randn(len(like), self.latent, device=like.device, dtype=like.dtype)

    def make(self, noise_BZ: Tensor, label_B: Tensor | None) -> Tensor:
        """Return samples."""
        made: Tensor = apply(self.networks[GENERATOR], noise_BZ, _told(label_B))
        return made

    def score(self, x: Tensor, label_B: Tensor | None) -> Tensor:
        """Return (B,): how much the discriminator takes samples for real."""
        score_B1: Tensor = apply(self.networks[DISCRIMINATOR], x, _told(label_B))
        return score_B1[:, 0]

    def label_of(self, batch: Batch) -> Tensor | None:
        """Return the classes of a batch, if the networks are told them."""
        return batch["target"] if self.conditional else None

    # -- measuring ----------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        if self.keeps:
            self.outputs.add(batch["rows"], **({} if self.spec.axes == "CHW" else {"real": flat(self.input_of(batch))}))
        return {}

    def made(self, batch: Batch, index_B: Tensor) -> Tensor:
        return self.make(self.noise(index_B, (self.latent,)), self.label_of(batch))

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.score(self.input_of(batch), self.label_of(batch))[:, None]

    def embed(self, batch: Batch) -> Tensor:
        """Return what the last layer of the discriminator receives, one vector (B, F) a sample."""
        run = lambda: self.score(self.input_of(batch), self.label_of(batch))  # noqa: E731
        return before_last(self.networks[DISCRIMINATOR], run)

    # -- what it makes ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, label: int | None = None) -> Tensor:
        """Return n samples, of a class or of all in turn; the same for the same seed."""
        noise_NZ = torch.randn(n, self.latent, generator=torch.Generator().manual_seed(seed)).to(self.device)
        if not self.conditional:
            return self.make(noise_NZ, None)
        turns = torch.arange(n, device=self.device) % len(self.facts.classes)
        return self.make(noise_NZ, turns if label is None else torch.full_like(turns, label))

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.notes = self._collapse()

    def show(self, few: bool = False) -> None:
        drawn = self.spec.axes == "CHW"
        self.outputs.made["made"] = as_picture(self.sample(SHEET if drawn else CLOUD, 0), self.spec).numpy()
        if drawn:
            self.outputs.made["interpolation"] = self._between().numpy()

    @torch.no_grad()
    def _between(self) -> Tensor:
        """Return images (R, S, C, H, W) on the ways from one noise to another."""
        noise_NZ = torch.randn(2 * WAYS, self.latent, generator=torch.Generator().manual_seed(0)).to(self.device)
        label_N = torch.arange(WAYS, device=self.device).repeat_interleave(STEPS) % max(len(self.facts.classes), 1)
        told = label_N if self.conditional else None
        ways_RSZ = slerp(noise_NZ[:WAYS], noise_NZ[WAYS:], STEPS)
        return images_along(lambda codes_NZ: self.make(codes_NZ, told), ways_RSZ, self.spec)

    def _collapse(self) -> list[str]:
        """Return sentences that say where the generator makes less than there is."""
        found = {name.removeprefix("test/"): float(v) for name, v in self.measured("test").items()}
        said = []
        modes = found.get("modes_covered")
        if modes is not None and modes < len(self.facts.classes):
            said.append(f"the generator has collapsed: it covers {modes:.0f} of {len(self.facts.classes)} modes")
        if found.get("diversity", 1.0) < COLLAPSED:
            share = found["diversity"]
            said.append(f"the generator has collapsed: its samples differ {share:.2f} times as much as the data do")
        return said


def _told(label_B: Tensor | None) -> dict[str, Tensor]:
    return {} if label_B is None else {"label": label_B}


def squared_gradient_norm(score_B: Tensor, x: Tensor) -> Tensor:
    """Return the squared norm of the gradient of each sample's score by the sample, (B,), itself differentiable."""
    (gradient,) = torch.autograd.grad(score_B.sum(), x, create_graph=True)
    return flat(gradient).square().sum(1)
