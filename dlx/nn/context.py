"""What flows beside x: named values, and the state of stepwise decoding. B batch, T time.

A context is a dict from names to tensors, and `cache` to a Cache. These names mean the same everywhere:

mask         (B, T) bool, true where a step is real and not padding; absent: all are real
memory       (B, S, D) what an encoder made; memory_mask (B, S) says which of its steps are real
cache        the state of stepwise decoding; absent: x is a whole sequence
time, label  (B,) what a conditioned network is told
segment      (B, T) to which of several texts each step belongs; absent: all to the first
visible      (B, S) the numbers of the steps that are not hidden; absent: none is

In stepwise decoding x and mask hold only the steps that are new; what came before is in the cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlx.nn.protocols import ChangesContext

Context = Mapping[str, Any]


class Cache:
    """What the modules of a network remember of the steps that they have seen.

    A module's state is a dict of its own; the first dimension of every tensor in it is the batch.
    """

    def __init__(self) -> None:
        self.length = 0
        self._states: dict[nn.Module, dict[str, Tensor]] = {}

    def of(self, module: nn.Module) -> dict[str, Tensor]:
        """Return the state of a module, empty before its first step."""
        return self._states.setdefault(module, {})

    def advance(self, steps: int) -> None:
        """Say that the network has seen more steps; called once after each forward pass of the whole network."""
        self.length += steps

    def reorder(self, index_B: Tensor) -> None:
        """Let each row of the batch go on from the row whose index it is given, as a beam search does."""
        for state in self._states.values():
            state.update({name: value.index_select(0, index_B) for name, value in state.items()})


def apply(module: nn.Module, x: Any, context: Context | None) -> Any:
    """Run a module, with the context if it takes one."""
    return module(x, context) if takes_context(module) else module(x)


def takes_context(module: nn.Module) -> bool:
    """Return whether a module is called with a context."""
    return bool(getattr(module, "takes_context", False))


def mask_of(context: Context | None) -> Tensor | None:
    """Return which steps are real, (B, T) bool; None if all are."""
    return None if context is None else context.get("mask")


def state_of(context: Context | None, module: nn.Module) -> dict[str, Tensor] | None:
    """Return a module's own state in stepwise decoding, None where x is a whole sequence."""
    cache = None if context is None else context.get("cache")
    return None if cache is None else cache.of(module)


def past_length(context: Context | None) -> int:
    """Return how many steps came before x: 0 where x is a whole sequence."""
    cache = None if context is None else context.get("cache")
    return 0 if cache is None else int(cache.length)


class ContextSequence(nn.Sequential):
    """A Sequential that hands the context to those of its children that take it, as those before them leave it."""

    takes_context = True

    def __init__(self, modules: OrderedDict[str, nn.Module]) -> None:
        super().__init__(modules)
        self._takes = [takes_context(module) for module in modules.values()]
        self._changes_context = [_changes_context(module) for module in modules.values()]

    def forward(self, x: Any, context: Context | None = None) -> Any:
        """Return what the last child makes of x."""
        for module, takes, changes in zip(self, self._takes, self._changes_context, strict=True):
            x = module(x, context) if takes else module(x)
            if changes and context:
                context = context_behind(module, context)
        return x

    def output_context(self, context: Context) -> Context:
        """Return what is in scope behind the last child."""
        for module in self:
            context = context_behind(module, context)
        return context


def context_behind(module: nn.Module, context: Context) -> Context:
    """Return what is in scope behind a module: the padding mask is not, where the steps end in it (`ends_mask`)."""
    if isinstance(module, ChangesContext):
        context = module.output_context(context)
    if getattr(module, "ends_mask", False):
        context = {name: value for name, value in context.items() if name != "mask"}
    return context


def make_sequential(modules: Mapping[str, nn.Module]) -> nn.Sequential:
    """Return modules that are applied one after the other: torch's own Sequential where a context changes nothing."""
    ordered = OrderedDict(modules)
    plain = not any(takes_context(module) or _changes_context(module) for module in ordered.values())
    return nn.Sequential(ordered) if plain else ContextSequence(ordered)


def _changes_context(module: nn.Module) -> bool:
    """Return whether the context behind a module may be another than before it."""
    if getattr(module, "ends_mask", False):
        return True
    if isinstance(module, ContextSequence):
        return any(_changes_context(child) for child in module)
    return isinstance(module, ChangesContext)
