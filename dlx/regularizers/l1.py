from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer
from dlx.regularizers._weights import weights

if TYPE_CHECKING:
    from torch import Tensor, nn


class L1(Regularizer):
    """Adds the sum of absolute weights to the training loss.

    loss + λ Σ |w| over parameters of two dimensions or more; biases and normalizations are spared. Drives weights
    to exactly zero where they do not pay, and so chooses features; steps by gradient only come near zero.

    Units:   alpha (λ) is in units of the loss per weight.
    Source:  Tibshirani 1996 (lasso), doi:10.1111/j.2517-6161.1996.tb02080.x.

    Example:
        {l1: 1.0e-4}
    """

    needs_full_parameters: ClassVar[bool] = True
    primary: ClassVar[str] = "alpha"
    type: Literal["l1"] = "l1"
    alpha: float = Field(1e-4, ge=0)
    """Factor λ of the penalty."""

    def penalty(self, network: nn.Module) -> Tensor | None:
        import torch

        terms = [p.abs().sum() for p in weights(network)]
        return self.alpha * torch.stack(terms).sum() if terms else None
