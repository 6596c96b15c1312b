from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_numbers, keep_target
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class RandomGaussianNoise(Augmentation):
    """Random Gaussian noise: adds x + ε, ε ~ N(0, std²), to every value.

    For features it is the simplest augmentation there is, and near to weight decay for linear models. Nothing is
    clipped.

    Shapes:  kept, any axes.
    Units:   std is in units of the input: 0 to 1 for images, as stored for features.
    Raises:  ShapeError if the values are codes of categories.
    Source:  Bishop 1995, doi:10.1162/neco.1995.7.1.108.

    Example:
        {random_gaussian_noise: 0.1}
    """

    primary: ClassVar[str] = "std"
    keeps_masks: ClassVar[bool] = True
    type: Literal["random_gaussian_noise"] = "random_gaussian_noise"
    p: float = Field(1.0, ge=0, le=1)
    """Probability that a sample is changed."""
    std: float = Field(0.1, gt=0)
    """Deviation of the noise."""

    def validate_input(self, x: TensorSpec) -> None:
        check_numbers(x, "random_gaussian_noise")

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        return keep_target(self._add_noise)

    def _add_noise(self, batch: Tensor) -> Tensor:
        import torch

        from dlx.augmentations._random import sample_mask

        return batch.where(~sample_mask(batch, self.p), torch.randn_like(batch).mul_(self.std).add_(batch))
