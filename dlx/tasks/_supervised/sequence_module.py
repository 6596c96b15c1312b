"""Every real step of a sequence is a sample of loss and metrics. B batch, T steps, K classes, N real steps in all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.tasks import MASK, STEPS
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.module import SupervisedModule

TARGET = "target"


class StepsModule(SupervisedModule):
    """One network that scores every class at every step."""

    def mean_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss of the batch's real steps; of a share of a batch, its part of that mean."""
        scores_NK, target_N = self.steps(output, batch)
        mean = self.loss_of(scores_NK, target_N)
        return mean * (len(target_N) / self.counted(batch)) if STEPS in batch else mean

    def counted(self, batch: Batch) -> Tensor:
        """Return over how many steps the mean is taken in which a share of a batch has its part."""
        return batch[STEPS].sum()

    def steps(self, scores_BTK: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the scores (N, K) and the target (N,) of the real steps."""
        return real(scores_BTK, batch), real(batch[TARGET], batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._measure(batch)

    def _measure(self, batch: Batch) -> Tensor:
        scores_NK, target_N = self.steps(self.run(self.role, batch).float(), batch)
        self.loss_meter.update(self.loss_of(scores_NK, target_N).detach(), weight=len(target_N))
        self.compare(self.predict(scores_NK), target_N)
        return scores_NK


def real(values_BT: Tensor, batch: Batch) -> Tensor:
    """Return the values (N, …) of the steps that are not padding."""
    mask_BT = batch.get(TARGET + MASK)
    return values_BT.flatten(0, 1) if mask_BT is None else values_BT[mask_BT]


def negative_log_likelihood(scores_NK: Tensor, target_N: Tensor) -> Tensor:
    """Return −log p (N,) of each target, in nats."""
    return F.cross_entropy(scores_NK.float(), target_N, reduction="none")


def looks_ahead(module: SupervisedModule, vocabulary: int, steps: int) -> bool:
    """Say whether what the network says of a step changes with the tokens after it."""
    generator = torch.Generator().manual_seed(0)
    one_BT = torch.randint(0, vocabulary, (1, steps), generator=generator).to(module.device)
    other_BT = torch.cat([one_BT[:, :1], (one_BT[:, 1:] + 1) % vocabulary], 1)
    training = module.training
    with torch.no_grad():
        first, second = (module.eval()(x_BT)[:, 0] for x_BT in (one_BT, other_BT))
    module.train(training)
    return not torch.allclose(first, second, rtol=1e-3, atol=1e-4)
