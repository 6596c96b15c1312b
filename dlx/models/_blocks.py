"""Layers that architectures share, as written in YAML."""

from __future__ import annotations

from typing import Any


def conv(channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False) -> dict[str, Any]:
    """Return a convolution that keeps the image's size, divided by stride; what is usual is left out."""
    fields: dict[str, Any] = {"channels": channels, "kernel": kernel}
    fields |= {"stride": stride} if stride > 1 else {}
    fields |= {"padding": "same"} if kernel > 1 else {}
    fields |= {"groups": groups} if groups > 1 else {}
    fields |= {} if bias else {"bias": False}
    return {"conv": fields}


def conv_norm(channels: int, kernel: int, stride: int = 1, groups: int = 1, then: Any = "relu") -> list[Any]:
    """Return convolution, batch norm and an activation."""
    return [conv(channels, kernel, stride, groups), "batch_norm", then]


def dropout(p: float) -> list[Any]:
    """Return a dropout layer, or none where nothing is dropped."""
    return [{"dropout": p}] if p else []


def repeat(layers: list[Any], times: int) -> list[Any]:
    """Return layers that are applied that many times; a list that can be added to another."""
    if times <= 1:
        return layers * times
    return [{"repeat": {"times": times, "layer": layers[0] if len(layers) == 1 else layers}}]
