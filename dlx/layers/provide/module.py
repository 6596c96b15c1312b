"""A named value of the context. B batch, T time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlx.nn.context import Context, apply, make_sequential, state_of


class ContextProvider(nn.Module):
    """Runs `layers`, then `then` with their value in its context.

    ends_mask  whether the value has other steps than what `layers` read, and so not its mask
    """

    takes_context = True

    def __init__(
        self,
        key: str,
        layers: Mapping[str, nn.Module],
        then: Mapping[str, nn.Module],
        each_step: bool,
        ends_mask: bool = False,
    ) -> None:
        super().__init__()
        self.key, self.ends_value_mask = key, ends_mask
        self.layers = make_sequential(layers)
        self.then = make_sequential(then)
        self.each_step = each_step

    def forward(self, x: Any, context: Context | None = None) -> Any:
        """Return the output of `then` for x, with the value in its context."""
        outer = dict(context or {})
        mask = outer.get(f"{self.key}_mask", outer.get("mask") if isinstance(x, Tensor) else None)
        scope = {**outer, self.key: self._provided_value(x, outer, mask)}
        if self.ends_value_mask:
            scope.pop(f"{self.key}_mask", None)
        elif mask is not None:
            scope[f"{self.key}_mask"] = mask
        return apply(self.then, x, scope)

    def _provided_value(self, x: Any, outer: dict[str, Any], mask: Tensor | None) -> Tensor:
        inside = {**outer, "mask": mask}
        if self.each_step:
            return apply(self.layers, x, inside)  # type: ignore[no-any-return]
        state = state_of(outer, self)
        if state is None:
            return apply(self.layers, x, inside)  # type: ignore[no-any-return]
        if not state:
            del inside["cache"]  # the source is a whole sequence, not new steps
            state["value"] = apply(self.layers, x, inside)
        return state["value"]
