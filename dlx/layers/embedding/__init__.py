from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import Cost, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Embedding(Layer):
    """Token embedding: looks up every token in a learned table, one vector for each word of the vocabulary.

    Of a record, every field that holds tokens is looked up in the same table and the others are kept, so that the
    two sides of a translation share their words. Vectors are initialized with variance 1; with scale_embedding, with
    variance 1 / features, and they are multiplied by √features, as in the transformer of 2017.

    Shapes:  (T,) tokens → (T, features).
    Raises:  ShapeError if there are no tokens, or their vocabulary is unknown.
    Source:  Bengio et al. 2003, JMLR 3; torch.nn.Embedding.

    Example:
        {embedding: 32}
    """

    primary: ClassVar[str] = "features"
    type: Literal["embedding"] = "embedding"
    features: int = Field(gt=0)
    """Size of a token's vector."""
    scale_embedding: bool = False
    """Whether vectors are multiplied by the square root of their size."""

    def shape(self, x: TensorSpec) -> Spec:
        if isinstance(x, TensorSpec):
            self._rows(x)
            return x.with_dims((*x.dims, self.features), "TF")
        self._rows(x)
        return {name: self.shape(field) if _is_tokens(field) else field for name, field in x.items()}  # type: ignore[misc]

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self._rows(x) * self.features)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.embedding.module import RecordEmbedding, ScaledEmbedding

        if isinstance(x, TensorSpec):
            return ScaledEmbedding(self._rows(x), self.features, self.scale_embedding)
        names = [name for name, field in x.items() if _is_tokens(field)]
        return RecordEmbedding(self._rows(x), self.features, self.scale_embedding, names)

    def _rows(self, x: Spec) -> int:
        """Return the size of the vocabulary; that of the largest field of a record."""
        fields = [x] if isinstance(x, TensorSpec) else [field for field in x.values() if _is_tokens(field)]
        if not fields:
            raise ShapeError(f"embedding takes tokens, but gets the fields {', '.join(x)}")  # type: ignore[arg-type]
        for field in fields:
            if not _is_tokens(field):
                raise ShapeError(f"embedding takes tokens (T), but gets {field} ({field.axes or 'a scalar'})")
            if len(field.vocab) != 1:
                raise ShapeError("embedding needs to know how many different tokens there are")
        return max(field.vocab[0] for field in fields)


def _is_tokens(x: TensorSpec) -> bool:
    return x.axes == "T" and x.dtype.startswith("int")
