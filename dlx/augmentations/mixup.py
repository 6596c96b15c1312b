from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.augmentations._images import Change, check_numbers
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class Mixup(Augmentation):
    """Mixup: replaces each sample, and its target, by a convex combination with another sample of the batch.

    x ← λ x + (1 − λ) x′, y ← λ y + (1 − λ) y′ with λ ~ Beta(α, α) for each sample. Keeps the network from being
    certain between the classes; small α mixes little. Class indices become probabilities; numbers and 0/1 labels are
    mixed as they are.

    Shapes:  kept, any axes; targets (B,) of K classes → (B, K).
    Raises:  ShapeError if the values are codes of categories.
    Source:  Zhang et al. 2018, arXiv:1710.09412; deviation: λ is drawn for each sample, not for each batch.

    Example:
        {type: mixup, alpha: 0.2}
    """

    primary: ClassVar[str] = "alpha"
    mixes: ClassVar[bool] = True
    type: Literal["mixup"] = "mixup"
    p: float = Field(1.0, ge=0, le=1)
    """Probability that a sample is changed."""
    alpha: float = Field(0.2, gt=0)
    """How evenly samples are mixed: toward 0 hardly at all, 1 uniformly, more is nearer to halves."""

    def validate_input(self, x: TensorSpec) -> None:
        check_numbers(x, "mixup")

    def build(self, x: TensorSpec, classes: int) -> Change:
        self.validate_input(x)
        return partial(self._mix, classes=classes)

    def _mix(self, batch: Tensor, target: Any, classes: int) -> tuple[Tensor, Any]:
        import torch

        from dlx.augmentations._random import mix_targets, sample_lambda

        share_B = sample_lambda(batch, self.alpha, self.p).to(batch)
        partner = torch.randperm(len(batch)).to(batch.device)
        mixed = torch.lerp(batch[partner], batch, share_B.reshape(-1, *[1] * (batch.ndim - 1)))
        return mixed, mix_targets(target, partner, share_B, classes)
