"""Shapes and costs of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlx.facts import Lengths
from dlx.layers import Layer, walk
from dlx.tensors import Cost, Spec, TensorSpec


@dataclass(frozen=True)
class Row:
    """One layer of a network: where it is in the module, what it is, what comes out, what it costs for one sample."""

    path: str
    kind: str
    output: Spec
    cost: Cost


@dataclass(frozen=True)
class NetworkPlan:
    """A network of one role: its layers, what it is given and returns, and its whole cost for one sample.

    Where lengths vary, `typical` is an input of the mean length, for which costs are, and `longest` of the greatest.
    """

    role: str
    tree: Layer
    input: Spec
    output: Spec
    cost: Cost
    typical: Spec
    longest: Spec

    @property
    def weighted_layers(self) -> list[str]:
        """The paths of the layers that have weights, in forward order."""
        return [row.path for row in self.rows if row.cost.parameters]

    @property
    def rows(self) -> list[Row]:
        """The layers that hold no other layers, in forward order."""
        pairs = zip(walk(self.tree, self.input), walk(self.tree, self.typical), strict=True)
        return [
            Row(path, layer.type, layer.shape(x), layer.cost(typical))  # type: ignore[arg-type]
            for (path, layer, x), (_, _, typical) in pairs
            if not layer.children(x)  # type: ignore[arg-type]
        ]


def network_plan(role: str, tree: Layer, x: Spec, lengths: Mapping[str, Lengths] | None = None) -> NetworkPlan:
    """Propagate shapes and costs; lengths are those of fields whose length varies.

    Raises: ShapeError at the first layer that does not fit.
    """
    typical = sized(x, {name: max(1, round(n.mean)) for name, n in (lengths or {}).items()})
    longest = sized(x, {name: n.max for name, n in (lengths or {}).items()})
    return NetworkPlan(role, tree, x, tree.shape(x), tree.cost(typical), typical, longest)  # type: ignore[arg-type]


def sized(x: Spec, lengths: Mapping[str, int]) -> Spec:
    """Return x with a number of steps where it varies: that of the field of this name, or else of the first field."""
    first = next(iter(lengths.values()), None)
    if isinstance(x, TensorSpec):
        return _sized(x, first)
    return {name: _sized(field, lengths.get(name, first)) for name, field in x.items()}


def _sized(x: TensorSpec, steps: int | None) -> TensorSpec:
    varies = x.axes.startswith("T") and x.dims[0] is None
    return x.replace(dims=(steps, *x.dims[1:])) if varies else x


def describe(x: Spec) -> str:
    """Write a shape for people: `1 × 28 × 28`, or the fields of a record."""
    return str(x) if isinstance(x, TensorSpec) else ", ".join(f"{name} {spec}" for name, spec in x.items())
