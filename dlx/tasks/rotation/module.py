"""Which way up an image stands. B batch, R turns, F features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.tasks._probed_torch import ProbedModule
from dlx.tasks._update import Batch
from dlx.tasks.rotation import TURNS


def turned(x_BCHW: Tensor) -> Tensor:
    """Return every image in every way, (R · B, C, H, W): first all that are not turned, then all by 90 degrees, …"""
    return torch.cat([x_BCHW.rot90(k, dims=(2, 3)) for k in range(TURNS)])


class RotationModule(ProbedModule):
    """An encoder, and a head that says by how many quarters an image was turned."""

    def loss_of(self, batch: Batch) -> tuple[Tensor, Tensor]:
        loss_B, _, features_BF = self._asked(batch)
        return loss_B.mean(), features_BF

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        loss_B, right_B, _ = self._asked(batch)
        return {"loss": loss_B, "rotation_accuracy": right_B}

    def _asked(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return each sample's mean loss and share of right answers over all turns, and its features unturned."""
        x = self.input_of(batch)
        features = self.features(turned(x))
        said = self.head["turn"](features)
        truth = torch.arange(TURNS, device=x.device).repeat_interleave(len(x))
        loss_RB = F.cross_entropy(said, truth, reduction="none").view(TURNS, -1)
        right_RB = (said.argmax(1) == truth).float().view(TURNS, -1)
        return loss_RB.mean(0), right_RB.mean(0), features[: len(x)]
