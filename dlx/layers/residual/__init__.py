from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, infer_shape, propagate, require_axes
from dlx.layers._axes import FEATURES, IMAGES, feature_axis
from dlx.tensors import Dim, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


def _auto_or_layer(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if value == "auto" else Layer.model_validate(value)


class Residual(Layer):
    """Residual (skip) connection: adds the output of its layers to its input, then(x + layers(x)).

    The layers need to learn only the difference from the identity, and gradients pass by them, so that networks of
    hundreds of layers train. Where the layers change the shape, the shortcut is a projection, a 1×1 convolution or a
    linear layer. drop_path (stochastic depth) skips the branch of random samples in training and scales the others by
    1 / (1 − drop_path).

    Shapes:  that of the layers' output.
    Units:   drop_path is a probability.
    Raises:  ShapeError if the shortcut's output is not of the layers' output's shape, or no projection can make it
             so.
    Source:  He et al. 2016, arXiv:1512.03385; stochastic depth: Huang et al. 2016, arXiv:1603.09382, by sample.

    Example:
        {residual: {layers: [{conv: {channels: 8, kernel: 3, padding: same}}, batch_norm], then: relu}}
    """

    primary: ClassVar[str] = "layers"
    type: Literal["residual"] = "residual"
    layers: list[Layer] = Field(min_length=1)
    """The branch, in order."""
    shortcut: Annotated[Literal["auto"] | Layer, WrapValidator(_auto_or_layer)] = "auto"
    """The layer of the shortcut; auto is the identity, or a projection where the shape changes."""
    shortcut_norm: Layer | None = None
    """A norm after the projection of `auto`, which then has no bias."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Probability that a sample skips the branch in training."""
    then: Layer | None = None
    """Applied to the sum."""

    def children(self, x: TensorSpec) -> list[Child]:
        return self._propagate(x)[0]

    def shape(self, x: TensorSpec) -> Spec:
        return self._propagate(x)[1]

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.residual.module import ResidualSum

        built = build_children(self.children(x))
        shortcut, then = built.pop("shortcut", None), built.pop("then", None)
        branch = {name.removeprefix("layers."): module for name, module in built.items()}
        return ResidualSum(branch, shortcut, then, self.drop_path)

    def _propagate(self, x: TensorSpec) -> tuple[list[Child], Spec]:
        branch, y = propagate(self.layers, x, "layers")
        children = [Child(f"layers.{c.name}", c.loc, c.layer, c.x) for c in branch]
        shortcut = self._shortcut(x, y)
        if shortcut is not None:
            children.append(Child("shortcut", ("shortcut",), shortcut, x))
            reached = infer_shape(("shortcut",), shortcut, x)
            if not _same_shape(reached, y):
                raise ShapeError(f"the shortcut gives {reached}, but the layers give {y}", ("shortcut",))
        if self.then is None:
            return children, y
        children.append(Child("then", ("then",), self.then, y))
        return children, infer_shape(("then",), self.then, y)

    def _shortcut(self, x: TensorSpec, y: Spec) -> Layer | None:
        if self.shortcut != "auto":
            return self.shortcut
        if _same_shape(x, y):
            return None
        projection = _projection(
            require_axes(x, FEATURES, "residual"), require_axes(y, FEATURES, "residual"), self.shortcut_norm is None
        )
        return Layer.model_validate([projection, self.shortcut_norm] if self.shortcut_norm else projection)


def _same_shape(a: Spec, b: Spec) -> bool:
    return isinstance(a, TensorSpec) and isinstance(b, TensorSpec) and (a.dims, a.axes) == (b.dims, b.axes)


def _projection(x: TensorSpec, y: TensorSpec, bias: bool) -> dict[str, Any]:
    """Return the smallest layer that maps x to y's shape, as a person would write it."""
    if x.axes != y.axes:
        raise ShapeError(f"no projection leads from {x} ({x.axes}) to {y} ({y.axes}); give `shortcut` a layer")
    size = y.dims[feature_axis(y)]
    if x.axes in IMAGES:
        strides = [_stride(a, b, x, y) for a, b in zip(x.spatial, y.spatial, strict=True)]
        return {"conv": {"channels": size, "kernel": 1, "stride": strides, "bias": bias}}
    if x.dims[:-1] != y.dims[:-1]:
        raise ShapeError(f"no projection leads from {x} to {y}; give `shortcut` a layer")
    return {"linear": {"features": size, "bias": bias}}


def _stride(size: Dim, target: Dim, x: TensorSpec, y: TensorSpec) -> int:
    """Return the stride with which a kernel of 1 makes target positions of size."""
    if size is None or target is None or size == target:
        return 1
    stride = -(-size // target)
    if (size - 1) // stride + 1 != target:
        raise ShapeError(f"no stride of a 1×1 projection leads from {x} to {y}; give `shortcut` a layer")
    return stride
