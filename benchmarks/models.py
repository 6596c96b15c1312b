"""Larger networks against plain PyTorch: a GPT, an LSTM, a residual network.

    python benchmarks/models.py [--case gpt] [--memory] [--cpu]
    python benchmarks/models.py --device cuda --case gpt2 --pairs 3

`gpt`, `lstm` and `resnet18` train: dlx with everything that it does by default against a loop over a network written
by hand (`plain.py`), from the same weights on the same batches, validation and a checkpoint at the end included. Data
are random, for time depends on shapes alone. `built-…` compare forward and backward passes of the built networks with
those of the plain ones. `gpt2` is GPT-2 small in bf16, compiled, on a GPU: tokens a second, and what share of the
device's peak the multiply-adds of the model come to. How it is measured is written in `paired.py`.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import plain
import torch
from paired import Case, Clock, Order, Training, copied, main
from torch import Tensor, nn
from torch.nn import functional as F

Batch = tuple[Tensor, ...]
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""FLOP a second in bf16 that devices of these names are said to reach, without sparsity."""


class Supervised(Training):
    """Training with cross entropy, on batches that a subclass gathers as a person would."""

    plain: nn.Module
    autocast: Any = nullcontext()

    def batches(self, split: str, epoch: int) -> Iterator[Batch]:
        """Yield what the network receives, and last the target."""
        raise NotImplementedError

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return what the recipe names."""
        raise NotImplementedError

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a batch."""
        *x, target = batch
        return F.cross_entropy(network(*x).flatten(0, -2), target.flatten())

    def theirs(self) -> float:
        """Train by hand; return the seconds from the first step to the last."""
        network = copied(self.plain, self.networks["network"]).to(self.device)
        optimizer, clip = self.optimizer(network), "grad_clip" in self.plan.recipe.regularize
        began = self.now()
        for epoch in range(self.epochs):
            network.train()
            for step, batch in enumerate(self.batches("train", epoch)):
                with self.autocast:
                    loss = self.loss(network, batch)
                loss.backward()
                if clip:
                    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                if step % 50 == 0:
                    loss.item()
                self.stepped()
            self.val_loss = self.validated(network, epoch)
        torch.save({"model": network.state_dict(), "optimizer": optimizer.state_dict()}, "by_hand.pt")
        seconds = self.now() - began
        self.by_hand = list(network.state_dict().values())
        return seconds

    @torch.no_grad()
    def validated(self, network: nn.Module, epoch: int) -> float:
        """Return the mean loss of val."""
        network.eval()
        total, count = 0.0, 0
        for batch in self.batches("val", epoch):
            with self.autocast:
                loss = self.loss(network, batch)
            total, count = total + loss.item() * len(batch[0]), count + len(batch[0])
        return total / count

    def stepped(self) -> None:
        """Hear that a step is over."""


class Letters(Supervised):
    """nanoGPT's setting for a CPU: 4 layers, 4 heads, 128 features, context 64, batch 12."""

    sizes = {"features": 128, "num_layers": 4, "num_heads": 4}
    length, symbols = 64, string.ascii_letters + string.digits + " \n."
    train_blocks, val_blocks = 4800, 240
    recipe = """
task: {language_modeling: {sample: 0}}
data: {source: {text: {path: train.txt, val_path: val.txt, length: LENGTH}}, split: {val: 0, test: 0}}
model: {gpt: {SIZES}}
optimizer: {adamw: {lr: 1.0e-3, betas: [0.9, 0.99]}}
regularize: {weight_decay: 0.1, grad_clip: {norm: 1.0}}
train: {epochs: 1, batch_size: 12}
"""

    def __init__(self, clock: Clock, device: str, changes: tuple[str, ...] = ()) -> None:
        for name, count in (("train", self.train_blocks), ("val", self.val_blocks)):
            Path(f"{name}.txt").write_text(self.written(count * self.length + 1))
        sizes = ", ".join(f"{name}: {n}" for name, n in self.sizes.items())
        text = self.recipe.replace("SIZES", sizes).replace("LENGTH", str(self.length))
        super().__init__(text, clock, device, changes)
        words = self.plan.facts.fields["tokens"].vocab[0]
        self.plain = plain.GPT(words, self.length, **self.sizes)

    def written(self, tokens: int) -> str:
        """Return a text of so many tokens."""
        return "".join(np.random.default_rng(0).choice(list(self.symbols), tokens))

    @cached_property
    def tokens(self) -> np.ndarray:
        """All tokens in a row, as a person would keep them in a file."""
        spans = self.experiment.prepared.arrays["tokens"]
        return np.asarray(spans.values, dtype=np.uint16)

    def batches(self, split: str, epoch: int) -> Iterator[Batch]:
        rows = self.experiment.prepared.rows[split]
        size = self.size if split == "train" else 64
        if split == "train":
            rows = rows[list(Order(self.plan.recipe.seed, len(rows), epoch))]
        starts = self.experiment.prepared.arrays["tokens"].starts[rows]
        for at in range(0, len(starts), size):
            yield tuple(self._stacked(starts[at : at + size], shift) for shift in (0, 1))

    def _stacked(self, starts: np.ndarray, shift: int) -> Tensor:
        rows = [self.tokens[s + shift : s + shift + self.length].astype(np.int64) for s in starts]
        block = torch.stack([torch.from_numpy(row) for row in rows])
        return block if self.device == "cpu" else block.pin_memory().to(self.device, non_blocking=True)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        matrices = [p for p in network.parameters() if p.ndim >= 2]
        vectors = [p for p in network.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3, **self.settings())


class Words(Letters):
    """GPT-2 small in bf16, compiled: batches of 16 · 1,024 tokens of 50,304 words. The first steps are not timed."""

    sizes = {"features": 768, "num_layers": 12, "num_heads": 12}
    length, train_blocks, val_blocks, known = 1024, 16 * 40, 16, 50_300
    recipe = Letters.recipe.replace("split:", "tokenizer: {word: {pre_tokenizer: whitespace}}, split:").replace(
        "12}", "16}"
    )
    skipped = 15

    def __init__(self, clock: Clock, device: str) -> None:
        if device != "cuda":
            raise SystemExit("gpt2 runs on a GPU: --device cuda")
        super().__init__(clock, device, ("hardware.precision=bf16-mixed", "hardware.compile=true"))
        self.autocast = torch.autocast("cuda", torch.bfloat16)
        self.planned, self.steps = self.steps, self.steps - self.skipped
        self.done, self.began, self.ended = 0, 0.0, 0.0

    def written(self, tokens: int) -> str:
        """Return a text in which every word stands at least once, if it is long enough."""
        known = np.arange(self.known)
        more = np.random.default_rng(0).choice(known, max(0, tokens - self.known))
        return " ".join(f"w{i}" for i in np.concatenate([known, more])[:tokens])

    def ours(self) -> float:
        """Train by dlx; return the seconds of the steps that are timed."""
        from dlx.tasks._supervised.module import SupervisedModule

        learn, self.done = SupervisedModule.learn, 0

        def counted(module: SupervisedModule, batch: dict[str, Tensor]) -> None:
            learn(module, batch)
            self.stepped()

        with patch.object(SupervisedModule, "learn", counted):
            super().ours()
        return self.ended - self.began

    def theirs(self) -> float:
        """Train by hand; return the seconds of the steps that are timed."""
        self.done = 0
        self.plain.compile()
        super().theirs()
        return self.ended - self.began

    def stepped(self) -> None:
        self.done += 1
        if self.done == self.skipped:
            self.began = self.now()
        elif self.done == self.planned:
            self.ended = self.now()

    def agree(self) -> None:
        """Raise AssertionError if the two do not end with about the same loss, which is all that bf16 promises."""
        self.ours(), self.theirs()
        assert math.isclose(self.metrics["val/loss"], self.val_loss, rel_tol=0.02), (self.metrics, self.val_loss)

    def figures(self, seconds: float) -> str:
        """Return tokens a second, and the share of the device's peak."""
        speed = self.size * self.length * self.steps / seconds
        weights = sum(p.numel() for p in self.plain.parameters()) - self.plain.places.weight.numel()
        pairs = self.sizes["num_layers"] * self.sizes["features"] * self.length
        peak = next((p for name, p in PEAKS.items() if name in torch.cuda.get_device_name()), None)
        share = "peak unknown" if peak is None else f"{speed * (6 * weights + 12 * pairs) / peak:.1%} of the peak"
        return f"{speed:,.0f} tokens/s, {share}"


class Sentences(Supervised):
    """An LSTM that judges sentences of 5 to 40 words in batches of 32."""

    recipe = """
task: classification
data:
  source: {table: {path: text.csv, target: label, types: {sentence: text, label: categorical}}}
  split: {val: 512, test: 64}
  tokenizer: {word: {pre_tokenizer: whitespace}}
model: {lstm: {hidden: 128, embedding_dim: 100}}
optimizer: {adamw: {lr: 1.0e-3}}
train: {epochs: 2, batch_size: 32}
"""

    def __init__(self, clock: Clock, device: str) -> None:
        random = np.random.default_rng(0)
        words = [random.integers(0, 5000, n) for n in random.integers(5, 41, 4000 + 576)]
        lines = [f"{' '.join(f'w{i}' for i in ids)},{'ab'[number % 2]}" for number, ids in enumerate(words)]
        Path("text.csv").write_text("\n".join(["sentence,label", *lines]))
        super().__init__(self.recipe, clock, device)
        self.plain = plain.TextLSTM(self.plan.facts.fields["sentence"].vocab[0], 100, 128, 2)

    def batches(self, split: str, epoch: int) -> Iterator[Batch]:
        from dlx.engine.data.lengths import bucket_by_length

        arrays, rows = self.experiment.prepared.arrays, self.experiment.prepared.rows[split]
        spans, target = arrays["sentence"], torch.from_numpy(arrays["target"])
        if split == "train":
            chosen = [rows[at] for at in bucket_by_length(spans.lengths[rows], self.size, self.plan.recipe.seed, epoch)]
        else:
            chosen = [rows[i : i + 102] for i in range(0, len(rows), 102)]
        for batch in chosen:
            sentences = [torch.from_numpy(spans[row]) for row in batch]
            padded = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
            yield padded, torch.tensor([len(s) for s in sentences]), target[batch]

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        matrices = [p for name, p in network.named_parameters() if "bias" not in name]
        vectors = [p for name, p in network.named_parameters() if "bias" in name]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3, **self.settings())


class Photos(Supervised):
    """resnet18 on 64 × 64 images of 10 classes in batches of 32."""

    recipe = """
task: classification
data:
  source: {npz: {path: images.npz, classes: [a, b, c, d, e, f, g, h, i, j]}}
  transforms: [{scale: 0.00390625}]
  split: {val: 64, test: 32}
model: {resnet: {depth: 18}}
optimizer: {momentum: {lr: 0.05, weight_decay: 0.0001, no_decay: []}}
train: {epochs: 6, batch_size: 32}
"""

    def __init__(self, clock: Clock, device: str) -> None:
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (320 + 96, 3, 64, 64), dtype=np.uint8)
        np.savez("images.npz", x=images, y=np.arange(len(images)) % 10)
        super().__init__(self.recipe, clock, device)
        self.plain = plain.ResNet18(10)

    @cached_property
    def images(self) -> Tensor:
        """All images as floats, scaled as the recipe says."""
        whole = torch.from_numpy(self.experiment.prepared.arrays["x"]).float()
        return whole / 256

    def batches(self, split: str, epoch: int) -> Iterator[Batch]:
        rows = self.experiment.prepared.rows[split]
        train_set = torch.utils.data.TensorDataset(
            self.images[rows], torch.from_numpy(self.experiment.prepared.arrays["target"][rows])
        )
        order = Order(self.plan.recipe.seed, len(rows), epoch) if split == "train" else None
        yield from torch.utils.data.DataLoader(train_set, batch_size=self.size, sampler=order)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, **self.settings())


class Built:
    """Forward and backward passes of a network that dlx built, and of a plain one with the same weights."""

    def __init__(
        self, clock: Clock, device: str, make: Callable[[], tuple[nn.Module, nn.Module, Tensor]], steps: int
    ) -> None:
        torch.manual_seed(0)
        self.clock, self.steps = clock, steps
        built, written, x = make()
        self.x = x.to(device)
        self.built, self.written = built.to(device), copied(written, built).to(device)

    def ours(self) -> float:
        """Run the built one; return the seconds."""
        return self._run(self.built)

    def theirs(self) -> float:
        """Run the plain one; return the seconds."""
        return self._run(self.written)

    def agree(self) -> None:
        """Raise AssertionError if outputs or gradients differ."""
        outputs, gradients = [], []
        for network in (self.built, self.written):
            network.zero_grad()
            outputs.append(self._out(network))
            outputs[-1].square().mean().backward()
            gradients.append([p.grad for p in network.parameters()])
        torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours.reshape(theirs.shape), theirs, rtol=1e-2, atol=1e-5)

    def _run(self, network: nn.Module) -> float:
        began = self.clock()
        for _ in range(self.steps):
            network.zero_grad(set_to_none=True)
            self._out(network).square().mean().backward()
        return self.clock() - began

    def _out(self, network: nn.Module) -> Tensor:
        y = network(self.x)
        return y[0] if isinstance(y, tuple) else y


def block() -> tuple[nn.Module, nn.Module, Tensor]:
    from dlx.layers import Layer
    from dlx.tensors import TensorSpec

    feed = {"feed_forward": {"hidden": 1024, "activation": {"gelu": {"approximate": "tanh"}}}}
    spelling = {
        "transformer_block": {"attention": {"attention": {"num_heads": 8, "causal": True}}, "feed_forward": feed}
    }
    built = Layer.model_validate(spelling).build(TensorSpec((128, 256), "TF"))
    return built, plain.Block(256, 8, causal=True), torch.randn(16, 128, 256)


def lstm() -> tuple[nn.Module, nn.Module, Tensor]:
    from dlx.layers import Layer
    from dlx.tensors import TensorSpec

    built = Layer.model_validate({"lstm": {"hidden": 256, "num_layers": 2}}).build(TensorSpec((64, 128), "TF"))
    return built, nn.LSTM(128, 256, 2, batch_first=True), torch.randn(32, 64, 128)


def resnet() -> tuple[nn.Module, nn.Module, Tensor]:
    from dlx.layers import Layer
    from dlx.models import Model
    from dlx.tensors import TensorSpec

    x = TensorSpec((3, 64, 64), "CHW")
    body = Model.model_validate({"resnet": {"depth": 18}}).tree(x)
    built = Layer.model_validate([body, "global_pool", {"linear": 10}]).build(x)
    return built, plain.ResNet18(10), torch.randn(16, 3, 64, 64)


def gpt() -> tuple[nn.Module, nn.Module, Tensor]:
    from dlx.models import Model
    from dlx.tensors import TensorSpec

    tokens = TensorSpec((64,), "T", "int64", vocab=(65,))
    built = Model.model_validate({"gpt": {"features": 128, "num_layers": 4, "num_heads": 4}}).tree(tokens).build(tokens)
    return built, plain.GPT(65, 64, 128, 4, 4), torch.randint(65, (12, 64))


CASES: dict[str, Callable[[Clock, str], Case]] = {
    "gpt": Letters,
    "lstm": Sentences,
    "resnet18": Photos,
    "gpt2": Words,
    "built-block": partial(Built, make=block, steps=40),
    "built-gpt": partial(Built, make=gpt, steps=60),
    "built-lstm": partial(Built, make=lstm, steps=20),
    "built-resnet18": partial(Built, make=resnet, steps=10),
}

if __name__ == "__main__":
    main(__doc__ or "", CASES, chosen=[name for name in CASES if name != "gpt2"])
