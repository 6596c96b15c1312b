"""Conditioning of denoisers: the time, and the class where there is one, as one vector."""

from __future__ import annotations

from typing import Any

from dlx.tensors import Spec, context_of

KEY = "condition"


def with_condition(x: Spec, frequencies: int, width: int, then: list[Any]) -> list[Any]:
    """Return layers that embed the time and class of the context, and run `then` with that condition."""
    embedding: list[Any] = [{"time_embedding": frequencies}, {"linear": width}]
    if "label" in context_of(x):
        embedding = [{"branches": {"join": "sum", "of": [embedding, {"label_embedding": width}]}}]
    return [{"provide": {"key": KEY, "layers": [*embedding, "silu", {"linear": width}, "silu"], "then": then}}]
