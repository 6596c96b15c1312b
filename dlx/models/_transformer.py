"""Layers that transformers share, as written in YAML."""

from __future__ import annotations

from typing import Any

from dlx.errors import ShapeError
from dlx.tensors import Spec, TensorSpec


def transformer_blocks(num_layers: int, norm_first: bool = True, **block: Any) -> dict[str, Any]:
    """Return that many transformer blocks; fields that are None or 0, and the default of norm_first, are left out."""
    fields = {name: value for name, value in block.items() if value is not None and value != 0.0}
    fields |= {} if norm_first else {"norm_first": False}
    return {"repeat": {"times": num_layers, "layer": {"transformer_block": fields}}}


def attention(num_heads: int, **fields: Any) -> dict[str, Any]:
    """Return an attention layer; fields that are None, False or 0 are left out, but for a bias that is False."""
    given = {name: value for name, value in fields.items() if value or (name == "bias" and value is False)}
    given.pop("bias", None) if given.get("bias") is True else None
    return {"attention": {"num_heads": num_heads, **given}}


def feed_forward(
    hidden: int, activation: Any, dropout: float = 0.0, gated: bool = False, bias: bool = True, out_init: Any = None
) -> Any:
    """Return a feed-forward layer; what is the default is left out."""
    fields: dict[str, Any] = {"hidden": hidden, "activation": activation}
    fields |= {"out_init": out_init} if out_init is not None else {}
    fields |= {"gated": True} if gated else {}
    fields |= {} if bias else {"bias": False}
    fields |= {"dropout": dropout} if dropout else {}
    return {"feed_forward": fields}


def require_pair(x: Spec, what: str) -> None:
    """Raise a ShapeError if x is not the record that encoder and decoder read: tokens of a source and a target."""
    if isinstance(x, TensorSpec) or not {"source", "target"} <= set(x):
        given = str(x) if isinstance(x, TensorSpec) else ", ".join(x)
        raise ShapeError(f"{what} reads the fields source and target, but gets {given}")
