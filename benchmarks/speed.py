"""dlx with everything that it does by default, against a loop that a person would write with a DataLoader.

    python benchmarks/speed.py [--pairs 9] [--case digits] [--memory] [--profile]
    python benchmarks/speed.py --device cuda --case lenet --case resnet20 --case resnet18 --case bf16 --case compile

Both train the same network from the same weights on the same batches with the same optimizer, validate after every
epoch, and are timed from the first step to the last, in turn, in one process with one thread. Before anything is timed
both must end with the same weights. How it is measured is written in `paired.py`.
"""

from __future__ import annotations

import copy
from functools import cached_property, partial

import torch
from paired import Clock, Order, Training, main
from torch import nn

CASES = {
    "digits": """
data: {source: {sklearn: digits}, transforms: [{flatten: {}}]}
model: {mlp: {hidden: [128]}}
train: {epochs: 100, batch_size: 64}
""",
    "mlp": """
data: {source: {sklearn: digits}, transforms: [{flatten: {}}]}
model: {mlp: {hidden: [512, 512]}}
train: {epochs: 60, batch_size: 64}
""",
    "lenet": """
data: {source: {type: mnist}}
model: lenet5
train: {epochs: 8, batch_size: 128, limit_train_samples: 6400, limit_val_samples: 1000, limit_test_samples: 100}
""",
    "resnet20": """
data: {source: {type: mnist}}
model: {resnet: {depth: 20}}
train: {epochs: 2, batch_size: 512, limit_val_samples: 5000, limit_test_samples: 100}
""",
    "resnet18": """
data: {source: {type: mnist}, transforms: [{resize: 64}, normalize]}
model: {resnet: {depth: 18}}
train: {epochs: 1, batch_size: 512, limit_train_samples: 30000, limit_val_samples: 5000, limit_test_samples: 100}
""",
}
CHANGED = {
    "bf16": ("resnet18", "hardware.precision=bf16-mixed"),
    "compile": ("resnet18", "hardware.compile=true"),
}
"""Cases of other hardware options: the recipe, and what changes in it."""
USUAL = ("digits", "mlp", "lenet")
SHARED = """
task: classification
optimizer: {adam: {lr: 0.001}}
"""


class Classifier(Training):
    """Training with one class a sample, all of them in memory."""

    def __init__(self, clock: Clock, device: str, recipe: str, changes: tuple[str, ...] = ()) -> None:
        super().__init__(SHARED + recipe, clock, device, changes)
        self.hardware = self.plan.recipe.hardware
        self.bf16 = self.hardware.precision == "bf16-mixed"
        self.tolerance = 0.3 if self.bf16 else 0.01

    @cached_property
    def data(self) -> list[torch.utils.data.TensorDataset]:
        """Train and val as a person would hold them: floats, normalized once."""
        return [self._tensors(name) for name in ("train", "val")]

    def _tensors(self, split: str) -> torch.utils.data.TensorDataset:
        batches = copy.copy(self.experiment.batches[split])
        batches.shuffled, batches.size = False, len(batches.rows)
        (whole,) = batches
        return torch.utils.data.TensorDataset(whole[self.plan.network_facts.inputs[0]].cpu(), whole["target"].cpu())

    def network(self) -> nn.Module:
        """Return the network that is trained by hand."""
        network = copy.deepcopy(self.networks["network"]).to(self.device)
        if self.hardware.compile:
            network.compile()
        return network

    def theirs(self) -> float:
        """Train by hand; return the seconds from the first step to the last."""
        network, (train_set, val_set) = self.network(), self.data
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, **self.settings())
        order = Order(self.plan.recipe.seed, len(train_set))
        train = torch.utils.data.DataLoader(train_set, batch_size=self.size, sampler=order)
        val = torch.utils.data.DataLoader(val_set, batch_size=256)
        criterion = nn.CrossEntropyLoss()
        began = self.now()
        for epoch in range(self.epochs):
            order.epoch, total, since = epoch, 0.0, 0
            network.train()
            for x, y in train:
                x, y = x.to(self.device), y.to(self.device)
                optimizer.zero_grad()
                with self.autocast():
                    loss = criterion(network(x), y)
                loss.backward()
                optimizer.step()
                total, since = total + loss.item(), since + 1
            correct, seen, val_loss = 0, 0, 0.0
            network.eval()
            with torch.no_grad():
                for x, y in val:
                    x, y = x.to(self.device), y.to(self.device)
                    with self.autocast():
                        output = network(x)
                    val_loss += criterion(output, y).item() * len(y)
                    correct, seen = correct + int((output.argmax(1) == y).sum()), seen + len(y)
        seconds = self.now() - began
        self.by_hand = list(network.state_dict().values())
        return seconds

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.bf16)


if __name__ == "__main__":
    made = {name: partial(Classifier, recipe=recipe) for name, recipe in CASES.items()}
    made |= {name: partial(Classifier, recipe=CASES[of], changes=(c,)) for name, (of, c) in CHANGED.items()}
    main(__doc__ or "", made, USUAL)
