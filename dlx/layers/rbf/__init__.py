from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RBF(Layer):
    """Radial basis function layer (RBF): the negative squared distance to each of some prototypes, y_k = −‖x − w_k‖².

    As an output layer it makes classes compete by distance: the nearest prototype wins, and an input that is far
    from all prototypes can be rejected. Given prototypes stay fixed; otherwise they are learned.

    Shapes:  (F,) → (features,); (T, F) → (T, features).
    Raises:  ShapeError if the prototypes are not as long as the input.
    Source:  LeCun et al. 1998, with the sign turned so that larger is nearer.

    Example:
        {rbf: 10}
    """

    primary: ClassVar[str] = "features"
    type: Literal["rbf"] = "rbf"
    features: int = Field(gt=0)
    """Number of prototypes."""
    prototypes: Annotated[tuple[Annotated[tuple[float, ...], Field(strict=False)], ...], Field(strict=False)] | None = (
        None
    )
    """Fixed prototypes; null learns them, from random ones."""

    @model_validator(mode="after")
    def _check_prototypes(self) -> Self:
        if self.prototypes is not None and len(self.prototypes) != self.features:
            context = {"given": len(self.prototypes), "features": self.features}
            raise PydanticCustomError("prototypes", "there are {given} prototypes, but features is {features}", context)
        return self

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._inputs(x)
        return x.with_dims((*x.dims[:-1], self.features))

    def cost(self, x: TensorSpec) -> Cost:
        numbers = self._inputs(x) * self.features
        trained = self.prototypes is None
        return Cost(numbers * trained, numbers * (not trained), activations=x.elements * self.features)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.rbf.module import RadialBasis

        return RadialBasis(self.features, self._inputs(x), self.prototypes)

    def _inputs(self, x: TensorSpec) -> int:
        inputs = num_features(x, self.type, ("F", "TF"))
        wrong = [len(p) for p in self.prototypes or () if len(p) != inputs]
        if wrong:
            raise ShapeError(f"a prototype has {wrong[0]} numbers, but {inputs} features come in")
        return inputs
