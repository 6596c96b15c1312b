"""Relative patch location: where a patch lies beside another. B batch, Q examples, G pieces."""

from __future__ import annotations

import torch
from torch import Tensor

from dlx.tasks._ssl.pretext_module import PretextExamples, TilesModule


class RelativePatchModule(TilesModule):
    """An encoder of patches, and a head that predicts in which of eight places the second one lies."""

    @property
    def center_index(self) -> int:
        """Index of the cell in the middle."""
        return self.task.grid**2 // 2

    def examples(self, x_BCHW: Tensor, draws_BD: Tensor) -> PretextExamples:
        places = self.task.grid**2 - 1
        label_B = (draws_BD[:, -1] * places).long().clamp(max=places - 1)
        cells_BG = self._cells(label_B)
        pieces = self.cut(x_BCHW, draws_BD).take_along_dim(cells_BG[..., None, None, None], 1)
        return PretextExamples(pieces, label_B)

    def visualize(self, examples: PretextExamples, predicted_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return both patches where they lie, and the second one where it is predicted."""
        labels = (examples.labels, predicted_Q)
        actual, predicted = (self.place(examples.pieces, self._cells(label_Q), x_BCHW) for label_Q in labels)
        return actual, predicted

    def _cells(self, label_Q: Tensor) -> Tensor:
        """Return the cells (Q, G) of both patches: the middle, and the one that a label stands for."""
        other_Q = label_Q + (label_Q >= self.center_index).long()
        return torch.stack([torch.full_like(label_Q, self.center_index), other_Q], 1)
