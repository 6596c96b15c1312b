"""An image as a sequence. B batch, C channels, H height, W width, T pixels, F features."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dlx.nn.context import Context, apply, make_sequential, takes_context


class SequenceOverPixels(nn.Module):
    """Applies modules to the pixels as a sequence (B, T, F) and reshapes the result to an image."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.layers = make_sequential(layers)
        self.takes_context = takes_context(self.layers)

    def forward(self, x_BCHW: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, F, H, W)."""
        x_BTF = x_BCHW.flatten(2).transpose(1, 2)
        scope = None if context is None else {name: v for name, v in context.items() if name != "mask"}
        y_BTF: Tensor = apply(self.layers, x_BTF, scope)
        return y_BTF.transpose(1, 2).reshape(x_BCHW.shape[0], -1, *x_BCHW.shape[2:])
