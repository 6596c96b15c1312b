from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape, walk
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData, UnfitSetting
from dlx.tasks._base.heads import numeric_input
from dlx.tasks._ssl.spec import EncoderTask
from dlx.tasks.masked_image._roles import DECODER, EMBED
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class MaskedImage(EncoderTask):
    """Masked autoencoder (MAE): reconstructs the masked patches of an image from the visible ones.

    The encoder sees only the visible patches, in training a quarter of all, which is why a large one is cheap. A
    smaller decoder, which must mix steps, gets their features, a learned mask token for every hidden patch and
    positions, and predicts the hidden pixels. Which patches are hidden is drawn anew each time. Features are the mean
    over all patches of the whole image; a vit with `output: mean` can begin with them (`init_from`).

    Shapes:  encoder: (C, H, W) → (patches, features); decoder: (patches, decoder_dim) → (patches, pixels of one).
    Units:   loss is a mean square over hidden pixels, in the units that the network sees, or with `norm_pix_loss` in
             standard deviations of each patch, of which 1 is what the patch's mean alone leaves.
    Raises:  ShapeError if patches do not fill the image, or the encoder does not keep them apart, or cannot hide any.
    Source:  He et al. 2021, arXiv:2111.06377. Deviations: positions are learned, and there is no class token.

    Example:
        {type: masked_image, mask_ratio: 0.5, decoder_dim: 16, evaluate: {knn_neighbors: 5}}
    """

    type: Literal["masked_image"] = "masked_image"
    shared_gradient: ClassVar[bool] = True
    patch_size: int = Field(4, ge=1)
    """Side of a patch, the same as the encoder's."""
    mask_ratio: float = Field(0.75, gt=0, lt=1)
    """Fraction of the patches that are hidden."""
    decoder_dim: int = Field(64, gt=0)
    """Features of a patch in the decoder."""
    norm_pix_loss: bool = False
    """Whether the pixels to be reconstructed are standardized in each patch, which makes details count."""

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        steps, pixels = self.num_patches(facts), self._pixels(facts)
        inner = TensorSpec((steps, self.decoder_dim), "TF")
        return {**super().roles(facts), DECODER: Role(inner, TensorSpec((steps, pixels), "TF"))}

    def num_patches(self, facts: DataFacts) -> int:
        """Return how many patches there are."""
        _, high, wide = numeric_input(facts, self.type).dims
        return (int(high or 0) // self.patch_size) * (int(wide or 0) // self.patch_size)

    def num_masked(self, facts: DataFacts) -> int:
        """Return how many of them are hidden."""
        return round(self.mask_ratio * self.num_patches(facts))

    def _pixels(self, facts: DataFacts) -> int:
        return int(numeric_input(facts, self.type).dims[0] or 0) * self.patch_size**2

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        if role == DECODER:
            return self._decoder(model, facts)
        x = numeric_input(facts, self.type)
        body = model.tree(x)
        features, steps = infer_shape((), body, x), self.num_patches(facts)
        hides = any(layer.selects_visible_steps for _, layer, _ in walk(body, x))
        if not isinstance(features, TensorSpec) or features.axes != "TF" or features.dims[0] != steps or not hides:
            raise ShapeError(
                f"the encoder must end in features of {steps} patches, and hide some by the layer keep_visible, as vit "
                f"does with `output: steps` and `patch_size: {self.patch_size}`; it ends in {features}"
            )
        return super().network(role, model, facts)

    def _decoder(self, model: Model, facts: DataFacts) -> Layer:
        """Return the decoder: all patches in their places, the model, and the pixels of each."""
        x = self.roles(facts)[DECODER].input
        body = model.tree(x).evolve("name", "body")
        start = [{"fill": "fill_mask_tokens"}, {"positions": {"type": "position_embedding", "kind": "learned"}}]
        return Layer.model_validate([*start, body, {"pixels": {"linear": self._pixels(facts)}}])

    def heads(self) -> dict[str, list[Any]]:
        return {EMBED: [{"linear": self.decoder_dim}]}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        facts = context.facts
        x = numeric_input(facts, self.type)
        if x.axes != "CHW":
            yield UnfitData.at(f"masked_image hides patches of images, but the input is {x}")
        elif any(int(side or 0) % self.patch_size for side in x.spatial):
            message = f"patches of {self.patch_size} × {self.patch_size} do not fill an image of {x}"
            yield UnfitSetting.at(message, "patch_size")
        elif not 0 < self.num_masked(facts) < self.num_patches(facts):
            message = f"of {self.num_patches(facts)} patches {self.num_masked(facts)} would be hidden"
            yield UnfitSetting.at(message, "mask_ratio")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.masked_image.module import MaskedImageModule

        return MaskedImageModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        """Draw images, their visible patches, and the reconstruction."""
        from dlx.figures.samples import strips

        images = outputs.extras.get("reconstructions")
        return {} if images is None else {"reconstructions": strips(images, ("image", "visible", "reconstruction"))}
