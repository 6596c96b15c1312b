from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class KeepVisible(Layer):
    """Visible patches of a masked autoencoder: keeps the steps of a sequence that are not masked.

    So that the layers behind it compute these steps alone. Which steps are visible is read from `visible` in the
    context; where nothing provides that, all stay. Put it behind `position_embedding`, so that the steps that are left
    keep their positions. `fill_mask_tokens` is its inverse.

    Shapes:  (T, F), kept in the plan; in training on masked samples there are fewer steps.
    Source:  He et al. 2021, arXiv:2111.06377.

    Example:
        keep_visible
    """

    type: Literal["keep_visible"] = "keep_visible"
    selects_visible_steps: ClassVar[bool] = True

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.keep_visible.module import VisibleSteps

        return VisibleSteps()
