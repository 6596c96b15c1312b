from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Orthogonal(Initializer):
    """Orthogonal initialization: a random orthogonal matrix times the gain.

    Norms are kept exactly, so that gradients of very deep or recurrent networks neither vanish nor explode. Dimensions
    after the first are flattened.

    Source:  Saxe et al. 2014, arXiv:1312.6120; torch.nn.init.orthogonal_.

    Example:
        orthogonal
    """

    type: Literal["orthogonal"] = "orthogonal"

    @property
    def uses_gain(self) -> bool:
        return True

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.orthogonal_(weight, gain)
