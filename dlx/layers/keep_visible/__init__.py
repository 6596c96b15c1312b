from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class KeepVisible(Layer):
    """Leaves only the steps of a sequence that are visible, so that what follows is computed for them alone.

    Which these are is read from `visible` in the context; where nothing provides that, all steps stay. Stands behind
    `position_embedding`, by which the steps that are left still say where they stood. `fill_mask_tokens` is its
    inverse.

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
