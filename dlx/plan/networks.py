"""Shapes and costs of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dlx.adapters import Adapter
from dlx.errors import ShapeError
from dlx.facts import DataFacts, Lengths
from dlx.layers import Layer, infer_shape, walk
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.transfer import FreezeEntry, is_frozen
from dlx.tasks import Task, for_role
from dlx.tensors import Cost, Spec, TensorSpec
from dlx.trees import iter_layers


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
    adapter is what fine-tunes it by few parameters, and freeze says which layers wait, or never learn.
    """

    role: str
    tree: Layer
    input: Spec
    output: Spec
    cost: Cost
    typical: Spec
    longest: Spec
    adapter: Adapter | None = None
    freeze: Sequence[FreezeEntry] = ()

    @cached_property
    def added_parameters(self) -> dict[str, int]:
        """The parameters that the adapter adds, by layer."""
        if self.adapter is None:
            return {}
        maps = self.adapter.linear_maps(self.tree, self.input)
        return {path: sum(map(self.adapter.added_parameters, inner.values())) for path, inner in maps.items()}

    @cached_property
    def trainable_parameters(self) -> int:
        """The parameters that learn at some step, those of the adapter among them."""
        own = sum(row.cost.parameters for row in self.rows if self._learns_whole(row.path))
        return own + sum(self.added_parameters.values())

    @property
    def num_parameters(self) -> int:
        """All parameters, those of the adapter among them."""
        return self.cost.parameters + sum(self.added_parameters.values())

    def _learns_whole(self, path: str) -> bool:
        return not is_frozen(self.freeze, path) and (self.adapter is None or self.adapter.is_trained_whole(path))

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
    typical = with_lengths(x, {name: max(1, round(n.mean)) for name, n in (lengths or {}).items()})
    longest = with_lengths(x, {name: n.max for name, n in (lengths or {}).items()})
    return NetworkPlan(role, tree, x, tree.shape(x), tree.cost(typical), typical, longest)  # type: ignore[arg-type]


def with_lengths(x: Spec, lengths: Mapping[str, int]) -> Spec:
    """Return x with a number of steps where it varies: that of the field of this name, or else of the first field."""
    first = next(iter(lengths.values()), None)
    if isinstance(x, TensorSpec):
        return _with_length(x, first)
    return {name: _with_length(field, lengths.get(name, first)) for name, field in x.items()}


def _with_length(x: TensorSpec, steps: int | None) -> TensorSpec:
    varies = x.axes.startswith("T") and x.dims[0] is None
    return x.replace(dims=(steps, *x.dims[1:])) if varies else x


def describe_shape(x: Spec) -> str:
    """Write a shape for people: `1 × 28 × 28`, or the fields of a record."""
    return str(x) if isinstance(x, TensorSpec) else ", ".join(f"{name} {spec}" for name, spec in x.items())


def plan_network(recipe: Recipe, role: str, facts: DataFacts) -> NetworkPlan:
    """Plan the network of a role: the model with the task's head, changed by the regularizers.

    Raises: ShapeError with its place in the recipe if a layer does not fit, or the output is not what the task needs.
    """
    task: Task = recipe.task
    wanted = task.roles(facts)[role]
    model = for_role(recipe.model, role)
    body = model.tree(wanted.input)
    longest = {name: lengths.max for name, lengths in facts.lengths.items()}
    for x in (wanted.input, with_lengths(wanted.input, longest)):
        infer_shape(("model", role), body, x)
    answering = [part.type for part in iter_layers(body) if isinstance(part, Layer) and part.has_auxiliary_output]
    if answering and not task.trains_auxiliary_outputs:
        raise ShapeError(f"{task.type} has no target by which it could judge an {answering[0]}", ("model", role))
    try:
        tree: Any = task.network(role, model, facts)
        for name, regularizer in recipe.regularize.items():
            tree = _regularize_layers(tree, regularizer, name)
        plan = network_plan(role, tree, wanted.input, facts.lengths)
    except ShapeError as error:
        raise error if error.loc[:1] == ("regularize",) else error.within("task", "head") from None
    if wanted.output is not None and not _has_shape(plan.output, wanted.output):
        raise ShapeError(
            f"{task.type} needs an output of {wanted.output}, but the model ends in {plan.output}", ("model", role)
        )
    return replace(plan, adapter=recipe.adapt, freeze=recipe.freeze)


def _regularize_layers(tree: Layer, regularizer: Any, name: str) -> Layer:
    try:
        return regularizer.rewrite_layers(tree)  # type: ignore[no-any-return]
    except ValueError as error:
        raise ShapeError(str(error), ("regularize", name)) from None


def _has_shape(output: Any, wanted: TensorSpec) -> bool:
    return isinstance(output, TensorSpec) and output.axes == wanted.axes and output.dims == wanted.dims
