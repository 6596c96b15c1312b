"""Where a patch lies beside another. B batch, Q questions, G pieces."""

from __future__ import annotations

import torch
from torch import Tensor

from dlx.tasks._ssl.pretext_module import Asked, TilesModule


class RelativePatchModule(TilesModule):
    """An encoder of patches, and a head that says in which of eight places the second one lies."""

    @property
    def middle(self) -> int:
        """Number of the cell in the middle."""
        return self.grid**2 // 2

    def ask(self, x_BCHW: Tensor, draws_BD: Tensor) -> Asked:
        places = self.grid**2 - 1
        truth_B = (draws_BD[:, -1] * places).long().clamp(max=places - 1)
        return Asked(self.cut(x_BCHW, draws_BD).take_along_dim(self._cells(truth_B)[..., None, None, None], 1), truth_B)

    def drawn(self, asked: Asked, said_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return both patches where they lie, and the second one where it is said to."""
        one, other = (self.laid(asked.pieces, self._cells(answer), x_BCHW) for answer in (asked.truth, said_Q))
        return one, other

    def _cells(self, answer_Q: Tensor) -> Tensor:
        """Return the cells (Q, G) of both patches: the middle, and the one that an answer names."""
        other_Q = answer_Q + (answer_Q >= self.middle).long()
        return torch.stack([torch.full_like(answer_Q, self.middle), other_Q], 1)
