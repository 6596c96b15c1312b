from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.regularizers import Regularizer

if TYPE_CHECKING:
    import pytorch_lightning as pl


class MaxNorm(Regularizer):
    """Max-norm constraint: rescales the weights that lead into a unit to at most a norm after every step.

    w ← w · min(1, max_norm / |w|) for each row of a matrix and each filter of a convolution; biases and normalization
    layers are left out. Allows a large lr without exploding weights; made for use with dropout.

    Units:   max_norm is a norm, 3 to 4 in the paper.
    Source:  Srivastava et al. 2014, JMLR 15.

    Example:
        {max_norm: 3.0}
    """

    primary: ClassVar[str] = "max_norm"
    type: Literal["max_norm"] = "max_norm"
    max_norm: float = Field(3.0, gt=0)
    """Largest norm of the weights of a unit."""

    def callback(self) -> pl.Callback:
        from dlx.regularizers.max_norm.module import MaxNormConstraint

        return MaxNormConstraint(self.max_norm)
