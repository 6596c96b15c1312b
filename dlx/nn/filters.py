"""What the first layer of a network listens to, where it sees images. N filters of (C, h, w)."""

from __future__ import annotations

from torch import Tensor, nn

from dlx.tensors import Spec, TensorSpec

FILTERS = 64
SMALLEST = 3  # pixels; less shows nothing


def first_filters(network: nn.Module, x: Spec) -> Tensor | None:
    """Return weights of the first layer that has some, as images of 0 to 1 in which 0.5 is no weight; None where they
    are no images.
    """
    if not isinstance(x, TensorSpec) or x.axes != "CHW" or None in x.dims:
        return None
    weight = next((w for module in network.modules() if (w := _weight(module)) is not None), None)
    if weight is None:
        return None
    channels, *_ = x.dims
    if weight.ndim == 2 and weight.shape[1] == x.elements:
        weight = weight.reshape(-1, *(d or 1 for d in x.dims))
    if weight.ndim != 4 or weight.shape[1] != channels or channels not in (1, 3) or min(weight.shape[2:]) < SMALLEST:
        return None
    filters = weight[:FILTERS].detach().float().cpu()
    return 0.5 + 0.5 * filters / filters.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)


def _weight(module: nn.Module) -> Tensor | None:
    weight = getattr(module, "weight", None)
    return weight if isinstance(weight, Tensor) and weight.ndim > 1 else None
