"""What a denoiser is told: the time, and the class where there is one, as one vector."""

from __future__ import annotations

from typing import Any

from dlx.tensors import Spec, context_of

KEY = "condition"


def with_condition(x: Spec, frequencies: int, width: int, then: list[Any]) -> list[Any]:
    """Return layers that make the condition of what is in scope, and run `then` where all can read it."""
    told: list[Any] = [{"time_embedding": frequencies}, {"linear": width}]
    if "label" in context_of(x):
        told = [{"branches": {"join": "sum", "of": [told, {"label_embedding": width}]}}]
    return [{"provide": {"key": KEY, "layers": [*told, "silu", {"linear": width}, "silu"], "then": then}}]
