"""Tasks that make samples against loops written by hand, on images of 28 × 28 pixels.

    python benchmarks/generative.py [--case vae] [--memory] [--cpu]

`vae`, `dcgan` and `ddpm` train: dlx with everything that it does by default against the loop that a person would write
for the same objective, from the same weights, on the same batches and with the same random numbers; validation after
every epoch and a checkpoint at the end included. The networks of `vae` and `dcgan` are written by hand as well, the
U-Net of `ddpm` is the one that dlx built. The generator takes fresh noise for its own step, as in algorithm 1 of
Goodfellow et al. 2014. Data are random, for time depends on shapes alone. How it is measured is written in `paired.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from paired import Clock, Order, Training, copied, main
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLES = {"train": 6400, "val": 640, "test": 64}
DATA = "source: {npz: {path: images.npz, y: null}}, split: {val: 640, test: 64}"


class Generative(Training):
    """Training without a target. A subclass takes the steps of a batch, and judges one."""

    recipe: str

    def __init__(self, clock: Clock, device: str) -> None:
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (sum(SAMPLES.values()), 28, 28), dtype=np.uint8)
        images[:, 0, :2] = (0, 255)  # the range is that of bytes, whichever split one looks at
        np.savez("images.npz", x=images)
        super().__init__(self.recipe.replace("DATA", DATA), clock, device)
        self.lr = next(iter(self.plan.recipe.optimizer.values())).lr  # type: ignore[attr-defined]

    @cached_property
    def images(self) -> dict[str, Tensor]:
        """Train and val as a person would hold them: floats, as the network sees them."""
        prepared = self.experiment.prepared
        (transform,) = self.plan.recipe.data.transforms
        change = transform.build(self.plan.facts.input)  # type: ignore[union-attr]
        whole = change(torch.from_numpy(prepared.arrays["x"]))
        return {split: whole[self.experiment.batches[split].rows] for split in ("train", "val")}

    def networks_by_hand(self) -> list[nn.Module]:
        """Return the networks, with the weights from which dlx begins."""
        raise NotImplementedError

    def step(self, x: Tensor) -> Tensor:
        """Learn from a batch; return the loss. As it is, networks move together, by `self.optimizer`."""
        self.optimizer.zero_grad()
        loss = self.judged(x)
        loss.backward()
        self.optimizer.step()
        return loss

    def judged(self, x: Tensor) -> Tensor:
        """Return the loss of a batch, of val and where networks move together of train."""
        raise NotImplementedError

    def adam(self, *networks: nn.Module, number: int = 0) -> torch.optim.Optimizer:
        """Return what the recipe names, for networks that move together."""
        return torch.optim.Adam((p for n in networks for p in n.parameters()), lr=self.lr, **self.settings(number))

    def theirs(self) -> float:
        """Train by hand; return the seconds from the first step to the last."""
        from dlx.engine.build.experiment import build_module

        self.own = [network.to(self.device) for network in self.networks_by_hand()]
        self.prepare()
        build_module(self.plan)  # generators are now as they are when dlx begins
        began = self.now()
        for epoch in range(self.epochs):
            self._switch(training=True)
            for number, x in enumerate(self.batches("train", epoch)):
                loss = self.step(x)
                if number % 50 == 0:
                    loss.item()
            self._switch(training=False)
            with torch.no_grad(), torch.random.fork_rng():
                losses = [self.judged(x).item() * len(x) for x in self.batches("val", epoch)]
            self.val_loss = sum(losses) / len(self.images["val"])
        torch.save([network.state_dict() for network in self.own], "by_hand.pt")
        seconds = self.now() - began
        self.by_hand = [value for network in self.own for value in network.state_dict().values()]
        return seconds

    def prepare(self) -> None:
        """Make the optimizers."""
        raise NotImplementedError

    def batches(self, split: str, epoch: int) -> Iterator[Tensor]:
        """Yield the batches of an epoch."""
        images = self.images[split]
        order = Order(self.plan.recipe.seed, len(images), epoch) if split == "train" else None
        size = self.size if split == "train" else 256
        loader: Iterable[list[Tensor]] = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(images), batch_size=size, sampler=order, generator=torch.Generator()
        )
        for (x,) in loader:
            yield x.to(self.device)

    def _switch(self, training: bool) -> None:
        for network in self.own:
            network.train(training)


class VAE(Generative):
    """784 – 400 – 20 – 400 – 784, with pixels as probabilities."""

    recipe = """
task: {type: vae, latent_dim: 20, likelihood: bernoulli}
data: {DATA, transforms: [{scale: 0.00392156862745098}]}
model: {encoder: {mlp: [400]}, decoder: {mlp: [400]}}
optimizer: {adam: {lr: 1.0e-3}}
train: {epochs: 12, batch_size: 128}
"""

    def networks_by_hand(self) -> list[nn.Module]:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
        decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Unflatten(1, (1, 28, 28)))
        pairs = zip((encoder, decoder), self.networks.values(), strict=True)
        return [copied(plain, built) for plain, built in pairs]

    def prepare(self) -> None:
        self.optimizer = self.adam(*self.own)

    def judged(self, x: Tensor) -> Tensor:
        encoder, decoder = self.own
        mean, log_variance = encoder(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        surprise = F.binary_cross_entropy_with_logits(decoder(code), x, reduction="none").flatten(1).sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (surprise + divergence).mean()


class DCGAN(Generative):
    """Transposed convolutions with 64 and 32 channels against convolutions with 32 and 64."""

    recipe = """
task: {type: gan, latent_dim: 64, metrics: [diversity]}
data: {DATA, transforms: [{scale: {factor: 0.00784313725490196, shift: -1.0}}]}
model:
  generator: {dcgan_generator: {initial_size: 7, channels: [64, 32], out_channels: 1}}
  discriminator: {dcgan_discriminator: {channels: [32, 64]}}
optimizer: {adam: {lr: 2.0e-4, betas: [0.5, 0.999]}}
train: {epochs: 1, batch_size: 64}
"""

    def networks_by_hand(self) -> list[nn.Module]:
        generator = nn.Sequential(
            nn.Linear(64, 64 * 49), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        discriminator = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(64 * 49, 1),
        )  # fmt: skip
        pairs = zip((generator, discriminator), self.networks.values(), strict=True)
        return [copied(plain, built) for plain, built in pairs]

    def prepare(self) -> None:
        self.movers = [self.adam(network, number=number) for number, network in enumerate(self.own)]

    def step(self, x: Tensor) -> Tensor:
        generator, discriminator = self.own
        move_generator, move_discriminator = self.movers
        move_discriminator.zero_grad()
        with torch.no_grad():
            made = generator(torch.randn(len(x), 64, device=x.device))
        loss = (F.softplus(-discriminator(x)) + F.softplus(discriminator(made))).mean()
        loss.backward()
        move_discriminator.step()
        move_generator.zero_grad()
        made = generator(torch.randn(len(x), 64, device=x.device))
        F.softplus(-discriminator(made)).mean().backward()
        move_generator.step()
        return loss.detach()

    def judged(self, x: Tensor) -> Tensor:
        made = self.own[0](torch.randn(len(x), 64, device=x.device))
        return torch.pdist(made.flatten(1)).mean() / torch.pdist(x.flatten(1)).mean()


class DDPM(Generative):
    """A U-Net of 16, 32 and 64 channels that says the noise of a linear schedule."""

    recipe = """
task: {type: diffusion, prediction_type: epsilon}
data: {DATA, transforms: [{scale: 0.00392156862745098}]}
model: {denoiser_unet: {channels: [16, 32, 64], num_heads: 4}}
optimizer: {adam: {lr: 2.0e-4}}
train: {epochs: 1, batch_size: 64, limit_train_samples: 1280, limit_val_samples: 128}
"""

    def networks_by_hand(self) -> list[nn.Module]:
        return [copy.deepcopy(self.networks["denoiser"])]

    def prepare(self) -> None:
        self.optimizer = self.adam(*self.own)
        level = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
        both = (level.sqrt(), (1 - level).sqrt())
        self.signal, self.noise = (share.float().to(self.device)[:, None, None, None] for share in both)

    def judged(self, x: Tensor) -> Tensor:
        (network,) = self.own
        x = 2 * x - 1
        t = torch.randint(1, 1001, (len(x),), device=x.device)
        noise = torch.randn_like(x)
        seen = self.signal[t - 1] * x + self.noise[t - 1] * noise
        return F.mse_loss(network(seen, {"time": t.float()}), noise)


if __name__ == "__main__":
    main(__doc__ or "", {"vae": VAE, "dcgan": DCGAN, "ddpm": DDPM})
