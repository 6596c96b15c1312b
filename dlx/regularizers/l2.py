from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer
from dlx.regularizers._weights import weights

if TYPE_CHECKING:
    from torch import Tensor, nn


class L2(Regularizer):
    """L2 regularization: adds half the sum of squared weights to the training loss.

    loss + λ/2 Σ w² over parameters of two dimensions or more; biases and normalization layers are left out. Its
    gradient is λ w: with plain gradient descent it is weight decay, with adaptive optimizers it is not.

    Units:   alpha (λ) is in units of the loss per squared weight.
    Source:  Hoerl & Kennard 1970 (ridge), doi:10.1080/00401706.1970.10488634.

    Example:
        {l2: 1.0e-4}
    """

    needs_full_parameters: ClassVar[bool] = True
    primary: ClassVar[str] = "alpha"
    type: Literal["l2"] = "l2"
    alpha: float = Field(1e-4, ge=0)
    """Coefficient λ of the penalty."""

    def penalty(self, network: nn.Module) -> Tensor | None:
        import torch

        terms = [p.square().sum() for p in weights(network.parameters())]
        return self.alpha / 2 * torch.stack(terms).sum() if terms else None
