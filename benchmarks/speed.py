"""dlx with everything that it does by default, against a loop that a person would write with a DataLoader.

    python benchmarks/speed.py [--pairs 9] [--case digits] [--memory] [--profile]

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
model: {mlp: {hidden: [1024, 1024]}}
train: {epochs: 16, batch_size: 64}
""",
    "lenet": """
data: {source: {type: mnist}}
model: lenet5
train: {epochs: 2, batch_size: 128, limit_train: 6400, limit_val: 1000, limit_test: 100}
""",
}
SHARED = """
task: classification
optimizer: {adam: {lr: 0.001}}
"""


class Classifier(Training):
    """Training with one class a sample, all of them in memory."""

    def __init__(self, clock: Clock, device: str, recipe: str) -> None:
        super().__init__(SHARED + recipe, clock, device)

    @cached_property
    def data(self) -> list[torch.utils.data.TensorDataset]:
        """Train and val as a person would hold them: floats, normalized once."""
        return [self._tensors(name) for name in ("train", "val")]

    def _tensors(self, split: str) -> torch.utils.data.TensorDataset:
        batches = copy.copy(self.experiment.batches[split])
        batches.shuffled, batches.size = False, len(batches.rows)
        (whole,) = batches
        return torch.utils.data.TensorDataset(whole[self.plan.seen.inputs[0]], whole["target"])

    def network(self) -> nn.Module:
        """Return the network that is trained by hand."""
        return copy.deepcopy(self.networks["network"])

    def theirs(self) -> float:
        """Train by hand; return the seconds from the first step to the last."""
        network, (train_set, val_set) = self.network(), self.data
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, **self.settings())
        order = Order(self.plan.recipe.seed, len(train_set))
        train = torch.utils.data.DataLoader(train_set, batch_size=self.size, sampler=order)
        val = torch.utils.data.DataLoader(val_set, batch_size=256)
        criterion = nn.CrossEntropyLoss()
        began = self.clock()
        for epoch in range(self.epochs):
            order.epoch, total, since = epoch, 0.0, 0
            network.train()
            for x, y in train:
                optimizer.zero_grad()
                loss = criterion(network(x), y)
                loss.backward()
                optimizer.step()
                total, since = total + loss.item(), since + 1
            correct, seen, val_loss = 0, 0, 0.0
            network.eval()
            with torch.no_grad():
                for x, y in val:
                    output = network(x)
                    val_loss += criterion(output, y).item() * len(y)
                    correct, seen = correct + int((output.argmax(1) == y).sum()), seen + len(y)
        seconds = self.clock() - began
        self.by_hand = list(network.state_dict().values())
        return seconds


if __name__ == "__main__":
    main(__doc__ or "", {name: partial(Classifier, recipe=recipe) for name, recipe in CASES.items()})
