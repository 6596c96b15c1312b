"""What augmentations of text have in common. Torch-free.

They take ids (B, T) in which 0 is padding after the end of a text, and keep T: what then is padding is 0 again, and
what becomes longer than T is cut off. So `ids != 0` stays the mask of the batch.
"""

from __future__ import annotations

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec


class TokenAugmentation(Augmentation):
    """A random change of a share of the tokens of a text."""

    fraction: float = Field(0.1, gt=0, le=1)
    """Share of a text's tokens that are changed; at least one is."""

    def validate_input(self, x: TensorSpec) -> None:
        if x.axes != "T" or not x.vocab:
            raise ShapeError(f"{self.type} takes text, as tokens, but gets {x} ({x.axes or 'a scalar'})")
