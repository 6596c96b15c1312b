"""What augmentations of images have in common. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor

Change = Callable[["Tensor", Any], tuple["Tensor", Any]]
Move = Callable[["Tensor", "Tensor | None"], tuple["Tensor", "Tensor | None"]]
Positive = Annotated[float, Field(gt=0)]
Range = Annotated[list[Positive], Field(min_length=2, max_length=2)]
"""Lowest and highest value that is drawn."""


def check_image(x: TensorSpec, what: str, channels: tuple[int, ...] = ()) -> None:
    """Raise ShapeError if x is not an image, or has none of these numbers of channels."""
    if x.axes != "CHW":
        raise ShapeError(f"{what} takes images (channels × height × width), but gets {x} ({x.axes or 'a scalar'})")
    if channels and x.dims[0] not in channels:
        raise ShapeError(f"{what} takes images with {' or '.join(map(str, channels))} channels, but gets {x}")


def check_numbers(x: TensorSpec, what: str) -> None:
    """Raise ShapeError if the values are codes, with which one does not calculate."""
    if x.vocab or x.dtype == "int64":
        raise ShapeError(f"{what} takes numbers, but gets codes of categories")


def check_ascending(values: list[float], name: str) -> list[float]:
    """Return a range as it is. Raises: ValueError if its ends are swapped."""
    if values[0] > values[1]:
        raise ValueError(f"{name} goes from {values[0]:g} down to {values[1]:g}; write the smaller number first")
    return values


def keep_target(change: Callable[[Tensor], Tensor]) -> Change:
    """Make an augmentation of a function of images that leaves the target alone."""

    def apply(images: Tensor, target: Any) -> tuple[Tensor, Any]:
        return change(images), target

    return apply


def move_masks(change: Move) -> Change:
    """Make an augmentation of a function of images (B, C, H, W) and, where the target is masks, of these (B, 1, H, W).

    Masks come as floats, so that they can be warped like images; the function invents no value between two classes.
    """

    def apply(images: Tensor, target: Any) -> tuple[Tensor, Any]:
        if target is None or target.ndim != images.ndim - 1:
            return change(images, None)[0], target
        moved, masks = change(images, target[:, None].to(images.dtype))
        return moved, target if masks is None else masks[:, 0].to(target.dtype)

    return apply
