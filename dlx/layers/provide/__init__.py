from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, propagate
from dlx.tensors import Spec, TensorSpec, context_of, with_context

if TYPE_CHECKING:
    from torch import nn


class Provide(Layer):
    """Context: computes a value that layers inside read by its name, as a decoder reads its encoder's memory.

    `layers` run on the input; their output is in the context, under `key`, while `then` runs on the same input. So an
    encoder's memory reaches every block of a decoder. If the input is a record, each of the two lists begins with
    the `field` that it reads. Where the context has a mask named `<key>_mask`, `layers` take it as their `mask`; for
    an input that is one tensor they take the input's own mask, which is then `<key>_mask` for `then`, as long as the
    value has the steps that it is of.

    Shapes:  those of `then`.
    Raises:  ShapeError at the first layer that does not fit, or if the value is not one tensor.

    Example:
        {provide: {key: source, layers: [{linear: 8}], then: [{attention: {num_heads: 2, memory: source}}]}}
    """

    type: Literal["provide"] = "provide"
    key: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name by which layers read the value, such as memory."""
    layers: list[Layer] = Field(min_length=1)
    """The layers that compute the value."""
    then: list[Layer] = Field(min_length=1)
    """The layers that run on the input with the value in their context."""
    each_step: bool = False
    """Whether, in stepwise decoding, the value is computed again at every step, from the new steps; else it is computed
    once, at the first step, from a whole input such as a source sentence."""

    def children(self, x: TensorSpec) -> list[Child]:
        return self._propagate(x)[0]

    def shape(self, x: TensorSpec) -> Spec:
        return with_context(self._propagate(x)[1], context_of(x))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.provide.module import ContextProvider

        children = self.children(x)
        built = build_children(children)
        padded, masked = "mask" in context_of(children[0].x), f"{self.key}_mask" in context_of(children[-1].x)
        layers = {name.removeprefix("layers."): m for name, m in built.items() if name.startswith("layers.")}
        then = {name.removeprefix("then."): m for name, m in built.items() if name.startswith("then.")}
        return ContextProvider(self.key, layers, then, self.each_step, ends_mask=padded and not masked)

    def _propagate(self, x: Spec) -> tuple[list[Child], Spec]:
        outer = context_of(x)
        mask = outer.get(f"{self.key}_mask", outer.get("mask") if isinstance(x, TensorSpec) else None)
        inside = {name: value for name, value in outer.items() if name != "mask"}
        masks = {} if mask is None else {"mask": mask}
        made, value = propagate(self.layers, with_context(x, {**inside, **masks}), "layers")
        if not isinstance(value, TensorSpec):
            raise ShapeError(
                f"provide takes one tensor, but its layers give the fields {', '.join(value)}", ("layers",)
            )
        key_mask = f"{self.key}_mask"
        scope = {name: spec for name, spec in outer.items() if name != key_mask}
        if mask is not None and "mask" in context_of(value):  # the value still has the steps that the mask is of
            scope[key_mask] = mask
        scope[self.key] = value.replace(context={})
        used, y = propagate(self.then, with_context(x, scope), "then")
        return [*_with_prefix("layers", made), *_with_prefix("then", used)], y


def _with_prefix(field: str, children: list[Child]) -> list[Child]:
    return [Child(f"{field}.{c.name}", c.loc, c.layer, c.x) for c in children]
