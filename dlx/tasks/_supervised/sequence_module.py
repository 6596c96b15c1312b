"""Sequences: every real step is a sample of loss and metrics. B batch, T steps, K classes, N real steps in all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.nn.protocols import Batch
from dlx.tasks import MASK
from dlx.tasks._supervised.module import SupervisedModule

TARGET = "target"


class SequenceModule(SupervisedModule):
    """One network that gives logits of every class at every step; padding counts nowhere."""

    def loss_output(self, logits_BTK: Tensor, batch: Batch) -> Tensor:
        return self.select_steps(logits_BTK, batch)

    def loss_target(self, batch: Batch) -> Tensor:
        return self.select_steps(batch[TARGET], batch)

    def select_steps(self, values_BT: Tensor, batch: Batch) -> Tensor:
        """Return the values (N, …) of the steps that are samples of loss and metrics."""
        return real_steps(values_BT, batch)

    @property
    def averages_samples(self) -> bool:
        return False

    def predictions_and_targets(self, logits_BTK: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.predict(self.loss_output(logits_BTK, batch), batch), self.loss_target(batch)

    def evaluate_output(self, output: Tensor, batch: Batch) -> None:
        if self.meters:  # the probabilities of a whole vocabulary are many numbers
            super().evaluate_output(output, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate_batch(batch)


def real_steps(values_BT: Tensor, batch: Batch) -> Tensor:
    """Return the values (N, …) of the steps that are not padding, by the attention mask of the target."""
    mask_BT = batch.get(TARGET + MASK)
    return values_BT.flatten(0, 1) if mask_BT is None else values_BT[mask_BT]


def negative_log_likelihood(logits_NK: Tensor, target_N: Tensor) -> Tensor:
    """Return the negative log-likelihood (N,) of each target, in nats."""
    return F.cross_entropy(logits_NK.float(), target_N, reduction="none")


def is_causal(module: SupervisedModule, vocabulary: int, steps: int) -> bool:
    """Return whether the logits of a step stay the same when the tokens after it change."""
    generator = torch.Generator().manual_seed(0)
    one_BT = torch.randint(0, vocabulary, (1, steps), generator=generator).to(module.device)
    other_BT = torch.cat([one_BT[:, :1], (one_BT[:, 1:] + 1) % vocabulary], 1)
    training = module.training
    with torch.no_grad():
        first, second = (module.eval()(x_BT)[:, 0] for x_BT in (one_BT, other_BT))
    module.train(training)
    return torch.allclose(first, second, rtol=1e-3, atol=1e-4)
