from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class L1(Regularizer):
    """L1 regularization (lasso) as a proximal step, which makes weights exactly zero: sparse networks.

    w ← sign(w) max(|w| − lr λ, 0) after every optimizer step, for parameters of two dimensions or more; biases and
    normalization layers are left out. With plain gradient descent this minimizes loss + λ Σ |w| (proximal gradient,
    ISTA); a subgradient would come near zero only. Like the weight decay of AdamW it is decoupled from the gradient:
    under momentum μ it acts like λ (1 − μ). The run has the metric `sparsity` on every split: the fraction of these
    weights that is zero.

    Units:   alpha (λ) is in units of the loss per weight.
    Source:  Tibshirani 1996 (lasso), doi:10.1111/j.2517-6161.1996.tb02080.x; proximal step: Beck & Teboulle 2009,
             doi:10.1137/080716542.

    Example:
        {l1: 1.0e-4}
    """

    primary: ClassVar[str] = "alpha"
    type: Literal["l1"] = "l1"
    alpha: float = Field(1e-4, ge=0)
    """Coefficient λ of the penalty."""

    def metric_names(self) -> dict[str, str]:
        return {"sparsity": "higher"}

    def callback(self) -> pl.Callback:
        from dlx.regularizers.l1.module import L1Callback

        return L1Callback(self.alpha)
