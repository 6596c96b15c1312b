from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.augmentations._tokens import TokenAugmentation

if TYPE_CHECKING:
    from torch import Tensor


class RandomSwap(TokenAugmentation):
    """Random swap: swaps the positions of random tokens of a text, at least two.

    For tasks that hang on which words there are rather than on their order.

    Shapes:  (T,) tokens, kept.
    Raises:  ShapeError if the input is not text.
    Source:  Wei & Zou 2019, arXiv:1901.11196 (EDA); one exchange in a circle in place of several in pairs.

    Example:
        {random_swap: 0.2}
    """

    primary: ClassVar[str] = "fraction"
    type: Literal["random_swap"] = "random_swap"

    def change_tokens(self, tokens: Tensor) -> Tensor:
        from dlx.augmentations._tokens_torch import swap_tokens

        return swap_tokens(tokens, self.fraction)
