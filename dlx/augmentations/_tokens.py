"""What augmentations of text have in common. Torch-free.

They take ids (B, T) in which 0 is padding after the end of a text, and keep T: what then is padding is 0 again, and
what becomes longer than T is cut off. So `ids != 0` stays the mask of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, keep_target
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class TokenAugmentation(Augmentation):
    """A random change of a share of the tokens of a text."""

    fraction: float = Field(0.1, gt=0, le=1)
    """Share of a text's tokens that are changed; at least one is."""

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        return keep_target(self._change_some)

    def _change_some(self, tokens: Tensor) -> Tensor:
        from dlx.augmentations._random import sample_mask

        return tokens.where(~sample_mask(tokens, self.p), self.change_tokens(tokens))

    def change_tokens(self, tokens: Tensor) -> Tensor:
        """Return the tokens (B, T) of every text, changed."""
        raise NotImplementedError

    def validate_input(self, x: TensorSpec) -> None:
        if x.axes != "T" or not x.vocab:
            raise ShapeError(f"{self.type} takes text, as tokens, but gets {x} ({x.axes or 'a scalar'})")
