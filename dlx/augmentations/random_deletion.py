from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.augmentations._tokens import TokenAugmentation

if TYPE_CHECKING:
    from torch import Tensor


class RandomDeletion(TokenAugmentation):
    """Random deletion: removes random tokens of a text; at least one stays.

    What remains moves together. For classification of short texts with few samples.

    Shapes:  (T,) tokens, kept.
    Raises:  ShapeError if the input is not text.
    Source:  Wei & Zou 2019, arXiv:1901.11196 (EDA); a fixed share in place of a probability for each word.

    Example:
        {random_deletion: 0.2}
    """

    primary: ClassVar[str] = "fraction"
    type: Literal["random_deletion"] = "random_deletion"

    def change_tokens(self, tokens: Tensor) -> Tensor:
        from dlx.augmentations._tokens_torch import delete_tokens

        return delete_tokens(tokens, self.fraction)
