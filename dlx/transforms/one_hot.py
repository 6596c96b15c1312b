from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec
from dlx.transforms import Transform

if TYPE_CHECKING:
    from torch import Tensor


class OneHot(Transform):
    """One-hot encoding of category codes.

    For few categories; for many, an embedding learns what they have in common. A code that no category has (missing,
    never seen in training) becomes a row of zeros. Several columns are laid side by side.

    Shapes:  scalar → (V,); (T,) → (T, V); (F,) with V₁ … V_F categories → (V₁ + … + V_F,).
    Raises:  ShapeError if the field does not hold codes, or their number is unknown.

    Example:
        {type: one_hot}
    """

    type: Literal["one_hot"] = "one_hot"

    def spec(self, x: TensorSpec) -> TensorSpec:
        vocab = self._vocab(x)
        if x.axes == "F":
            names = tuple(f"{n}={v}" for n, size in zip(x.names, vocab, strict=False) for v in range(size))
            return TensorSpec((sum(vocab),), "F", names=names)
        return TensorSpec((*x.dims, vocab[0]), f"{x.axes}F")

    def build(self, x: TensorSpec) -> Callable[[Tensor], Tensor]:
        vocab = self._vocab(x)
        return partial(_columns, vocab=vocab) if x.axes == "F" else partial(_rows, size=vocab[0])

    def _vocab(self, x: TensorSpec) -> tuple[int, ...]:
        """Return the number of categories of each column."""
        if x.is_float or not x.vocab or x.axes not in ("", "T", "F"):
            raise ShapeError(
                f"one_hot takes codes of categories of known number, but gets {x} ({x.dtype}, axes {x.axes!r})"
            )
        if x.axes != "F" or len(x.vocab) > 1:
            return x.vocab
        return x.vocab * (x.dims[0] or 1)


def _rows(codes: Tensor, size: int) -> Tensor:
    import torch

    return (codes[..., None] == torch.arange(size, device=codes.device)).float()


def _columns(codes: Tensor, vocab: tuple[int, ...]) -> Tensor:
    import torch

    return torch.cat([_rows(column, size) for column, size in zip(codes.unbind(1), vocab, strict=True)], dim=1)
