from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._scope import field_context
from dlx.tensors import Cost, TensorSpec, context_of, with_context

if TYPE_CHECKING:
    from torch import nn


class RecordField(Layer):
    """Field selection: chooses one field of a record of inputs, at the start of a branch that reads it.

    Where the field is a padded sequence (`<key>_mask` is in the context), that mask is the attention mask `mask` of all
    layers behind it, so that a network reads several sequences, each with its own.

    Shapes:  {a: (…), b: (…)} → the chosen field's.
    Raises:  ShapeError if the input is not a record, or has no such field.

    Example:
        {field: numeric}
    """

    primary: ClassVar[str] = "key"
    changes_context: ClassVar[bool] = True
    type: Literal["field"] = "field"
    key: str
    """The field's name."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        if isinstance(x, TensorSpec):
            raise ShapeError(f"there are no fields to choose from: the input is one tensor of {x}")
        if self.key not in x:
            raise ShapeError(f"there is no field '{self.key}'; there are {', '.join(x)}")
        return with_context(x[self.key], field_context(self.key, context_of(x)))  # type: ignore[return-value]

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.field.module import SelectField

        return SelectField(self.key)
