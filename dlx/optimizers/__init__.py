"""Optimizers: how parameters are updated from gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from dlx.component import Component
from dlx.layer_names import check_pattern, weighted_layers
from dlx.patterns import matches, matching_layers, outermost_match
from dlx.rules import CheckContext, Problem, Rule
from dlx.strategies import check_full_parameters

if TYPE_CHECKING:
    import torch
    from torch import nn

Groups = Sequence[dict[str, Any]]
Beta = Annotated[float, Field(ge=0, lt=1)]
"""The decay rate of a running mean: the share of the old value that is kept in a step."""


class SharedGradient(Rule):
    """An optimizer evaluates the loss of one network again, but several networks move down one gradient.

    L-BFGS and SAM compute the loss several times within a step. Where an encoder and a decoder learn from one loss,
    neither can do that for itself.

    Why:      the other networks would have moved in between, or not at all.
    Instead:  use an optimizer that takes one gradient a step, such as adamw.
    Wrong:
        task: {autoencoder: {}}
        model: {encoder: {mlp: {hidden: [8]}}, decoder: {mlp: {hidden: [8]}}}
        optimizer: lbfgs
    Right:
        task: {autoencoder: {}}
        model: {encoder: {mlp: {hidden: [8]}}, decoder: {mlp: {hidden: [8]}}}
        optimizer: adamw
    """

    code: ClassVar[str] = "DLX441"


class Optimizer(Component):
    """A rule that updates parameters from their gradients; wraps torch.optim where possible."""

    family = "optimizers"
    state_per_parameter: ClassVar[float] = 0.0
    """Optimizer state in numbers per parameter, for the memory estimate; a property where fields decide."""
    needs_closure: ClassVar[bool] = False
    """Whether a step evaluates the loss again (L-BFGS, SAM)."""
    full_batch: ClassVar[bool] = False
    """Whether every batch is the whole train split."""

    needs_full_parameters: ClassVar[bool] = False
    """Whether a step needs every parameter and gradient in full, and cannot act on the shards of fsdp."""

    lr: float = Field(1e-3, gt=0)
    """Learning rate."""
    no_decay: list[str] = Field(default_factory=lambda: ["bias", "norm"])
    """Parameters without weight decay: `bias` is every bias, `norm` every normalization layer; else a glob of parameter
    names.
    """
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Layer-wise learning-rate decay: factor on the lr for each layer further from the output; 1 gives all layers the
    same.
    """
    layers_pattern: str | None = None
    """Glob of the layers that `layer_decay` counts, as `dlx plan` names them: with `body.blocks.*` every block is a
    layer, all before the first another one, and what follows the last has the full lr; null counts every module with a
    weight matrix.
    """
    lr_scale: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Per-layer learning rates, as factors on the lr by name or glob: `{head: 10, body.*.0: 0.1}`; where several match,
    they multiply.
    """

    @model_validator(mode="after")
    def _layers_decay(self) -> Self:
        if self.layers_pattern is not None and self.layer_decay == 1:
            raise ValueError("layers_pattern says what counts as one for layer_decay, which is 1")
        return self

    @property
    def inner_optimizer(self) -> Optimizer:
        """The optimizer that updates the parameters: itself, or the one that it wraps."""
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        task = context.recipe.task
        if self.needs_closure and task.shared_gradient:
            message = f"evaluates the loss of one network again, but several networks of {task.type} move"
            yield SharedGradient.at(f"{self.type} {message} down one gradient")
        if self.needs_full_parameters:
            yield from check_full_parameters(self, context)
        if context.networks:
            role = next((role for role, optimizer in context.recipe.optimizer.items() if optimizer is self), None)
            layers = weighted_layers(context, role)
            for pattern in self.lr_scale:
                yield from check_pattern(pattern, layers, "lr_scale", pattern)
            if self.layers_pattern is not None:
                yield from check_pattern(self.layers_pattern, layers, "layers_pattern")

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        """Build the torch optimizer over parameter groups (`params`, and `lr` and `weight_decay` where they differ)."""
        raise NotImplementedError


def lr_scales(optimizer: Optimizer, names: Sequence[str]) -> dict[str, float]:
    """Return the factor on the learning rate of each weight or layer, in the order of a network.

    Source:  layer-wise decay: Clark et al. 2020, arXiv:2003.10555, and Bao et al. 2022, arXiv:2106.08254.
    """
    scales = optimizer.lr_scale.items()
    found = {name: prod((scale for glob, scale in scales if matches(glob, name)), start=1.0) for name in names}
    if optimizer.layers_pattern is None:
        return found
    counted = matching_layers(optimizer.layers_pattern, names)
    reached = 0
    for name in names:
        layer = outermost_match(optimizer.layers_pattern, name)
        reached = reached if layer is None else 1 + counted.index(layer)
        after = layer is None and reached == len(counted)
        found[name] *= 1.0 if after else optimizer.layer_decay ** (len(counted) + 1 - reached)
    return found


def parameter_groups(optimizer: Optimizer, network: nn.Module) -> list[dict[str, Any]]:
    """Return the trainable parameters of a network in groups, one for each combination of lr and weight decay.

    A layer, for `layer_decay` without `layers_pattern`, is a module that owns a parameter of two dimensions or more;
    what follows it before the next one (a normalization, a scale) belongs to it. The last layer has the optimizer's
    own lr.
    """
    spec = optimizer.inner_optimizer
    decays = getattr(spec, "weight_decay", 0.0) > 0
    merged: dict[tuple[float, bool], list[nn.Parameter]] = {}
    owned = list(_trained_parameters(network))
    last = max((depth for depth, *_ in owned), default=0)
    by_name = lr_scales(spec, [name for name, _ in network.named_parameters()])
    for depth, name, module, parameter in owned:
        spared = decays and _is_excluded_from_decay(name, module, spec.no_decay)
        factor = by_name[name] * (spec.layer_decay ** (last - depth) if spec.layers_pattern is None else 1.0)
        merged.setdefault((factor, spared), []).append(parameter)
    return [_group(spec.lr, factor, spared, parameters) for (factor, spared), parameters in merged.items()]


def _trained_parameters(network: nn.Module) -> Iterator[tuple[int, str, nn.Module, nn.Parameter]]:
    """Yield (depth, name, owner, parameter) for every trainable parameter, once each, in the order of the network."""
    seen: set[nn.Parameter] = set()
    depth, entered = 0, False
    for path, module in network.named_modules():
        own = list(module.named_parameters(recurse=False))
        if any(p.ndim >= 2 for _, p in own) and not _is_norm(module):
            depth, entered = depth + entered, True
        for name, parameter in own:
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield depth, f"{path}.{name}" if path else name, module, parameter


def _is_excluded_from_decay(name: str, module: nn.Module, no_decay: list[str]) -> bool:
    return any(_matches_rule(rule, name, module) for rule in no_decay)


def _matches_rule(rule: str, name: str, module: nn.Module) -> bool:
    own = name.rpartition(".")[2]
    if rule == "bias":
        return own.startswith("bias") or own.endswith("bias")
    if rule == "norm":
        return _is_norm(module)
    return fnmatchcase(name, rule)


def _is_norm(module: nn.Module) -> bool:
    """Return whether a module is a normalization layer; all of torch's and dlx's have it in their name."""
    return "norm" in type(module).__name__.lower()


def _group(lr: float, factor: float, spared: bool, parameters: list[nn.Parameter]) -> dict[str, Any]:
    group: dict[str, Any] = {"params": parameters}
    if factor != 1:
        group["lr"] = lr * factor
    if spared:
        group["weight_decay"] = 0.0
    return group
