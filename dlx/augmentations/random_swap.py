from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.augmentations._images import Change, keep_target
from dlx.augmentations._tokens import TokenAugmentation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class RandomSwap(TokenAugmentation):
    """Lets random tokens of a text, two at least, exchange their places.

    For tasks that hang on which words there are rather than on their order.

    Shapes:  (T,) tokens, kept.
    Raises:  ShapeError if the input is not text.
    Source:  Wei & Zou 2019, arXiv:1901.11196 (EDA); one exchange in a circle in place of several in pairs.

    Example:
        {random_swap: 0.2}
    """

    primary: ClassVar[str] = "fraction"
    type: Literal["random_swap"] = "random_swap"

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        return keep_target(self._apply)

    def _apply(self, tokens: Tensor) -> Tensor:
        from dlx.augmentations._random import sample_mask
        from dlx.augmentations._tokens_torch import swap_tokens

        return tokens.where(~sample_mask(tokens, self.p), swap_tokens(tokens, self.fraction))
