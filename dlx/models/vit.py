from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._published.vit import NAMES
from dlx.models._transformer import attention, feed_forward, transformer_blocks
from dlx.name_maps import NameMap
from dlx.tensors import Spec
from dlx.windows import Sizes


class ViT(Model):
    """Vision transformer (ViT): an image as a sequence of patches, and a class token that attends to them.

    With `output: mean` or `steps` there is no class token: patches are averaged, or left apart as `masked_image` wants
    them, and the weights of either fit the other.

    By default ViT-B/16: 86,567,656 parameters with a head for 1000 classes of 224 × 224 images, 17.6 G multiply-adds.
    It has no inductive bias for images, so that on few of them a convolutional network is better.

    Shapes:  (C, H, W) → (features,), or with `steps` (patches, features).
    Units:   dropout and drop_path are probabilities.
    Raises:  ShapeError if patches do not fill the image.
    Source:  Dosovitskiy et al. 2020, arXiv:2010.11929.

    Example:
        {type: vit, patch_size: 7, features: 32, num_layers: 2, num_heads: 4}
    """

    type: Literal["vit"] = "vit"
    init: Initializer | None = Field(default="normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""
    patch_size: Sizes = 16
    """Side of a patch; a list gives its height and its width."""
    features: int = Field(768, gt=0)
    """Size of every vector."""
    num_layers: int = Field(12, gt=0)
    """Number of transformer blocks."""
    num_heads: int = Field(12, gt=0)
    """Number of attention heads."""
    hidden: int | None = Field(None, gt=0)
    """Hidden size of the feed-forward networks; null is 4 · features."""
    output: Literal["token", "mean", "steps"] = "token"
    """Output: the features of the class token, the mean over all patches, or those of every patch."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an element of a branch's output is set to zero in training."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Stochastic depth: probability that a sample skips a branch in training."""

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "CHW", "vit")
        norm = {"layer_norm": {"eps": 1e-6}}
        blocks = transformer_blocks(
            self.num_layers,
            attention=attention(self.num_heads),
            feed_forward=feed_forward(self.hidden or 4 * self.features, "gelu", self.dropout),
            norm=norm,
            dropout=self.dropout,
            drop_path=self.drop_path,
        )
        patches = {"patch_embedding": {"patch_size": self.patch_size, "features": self.features}}
        body = [{"blocks": blocks}, {"norm": norm}]
        if self.output == "token":
            return [
                patches,
                "class_token",
                {"position_embedding": "learned"},
                *dropout(self.dropout),
                *body,
                "select_step",
            ]
        summary = ["time_pool"] if self.output == "mean" else []
        return [patches, {"position_embedding": "learned"}, *dropout(self.dropout), "keep_visible", *body, *summary]
