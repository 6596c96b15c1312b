from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.augmentations._tokens import TokenAugmentation

if TYPE_CHECKING:
    from torch import Tensor


class RandomInsertion(TokenAugmentation):
    """Random insertion: inserts copies of a text's own tokens at random positions.

    Where to and which ones is random. A text that becomes longer than the longest of its batch loses its end.

    Shapes:  (T,) tokens, kept.
    Raises:  ShapeError if the input is not text.
    Source:  Wei & Zou 2019, arXiv:1901.11196 (EDA); the text's own tokens in place of synonyms.

    Example:
        {random_insertion: 0.2}
    """

    primary: ClassVar[str] = "fraction"
    type: Literal["random_insertion"] = "random_insertion"

    def change_tokens(self, tokens: Tensor) -> Tensor:
        from dlx.augmentations._tokens_torch import insert_tokens

        return insert_tokens(tokens, self.fraction)
