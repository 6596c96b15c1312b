from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Orthogonal(Initializer):
    """Weights form a random orthogonal matrix times gain.

    Lengths are kept exactly, so that very deep or recurrent networks neither fade nor explode. Dimensions after the
    first are taken together.

    Source:  Saxe et al. 2014, arXiv:1312.6120; torch.nn.init.orthogonal_.

    Example:
        orthogonal
    """

    uses_gain: ClassVar[bool] = True
    type: Literal["orthogonal"] = "orthogonal"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.orthogonal_(weight, gain)
