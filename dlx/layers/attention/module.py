"""Multi-head attention. B batch, H heads, G heads of keys, T queries, S keys, F features, D features of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.layers.attention.pattern import AttentionPattern
from dlx.layers.attention.rotary import RotaryEmbedding
from dlx.nn.context import Context, mask_of, state_of, steps_seen


@dataclass(frozen=True)
class AttentionConfig:
    """Configuration of attention: heads, their size, and how they weigh values.

    num_kv_heads   heads of keys and values, each shared by several heads of queries
    head_dim       features of a head
    position_bias  name of the value of the context that is added to the scores, (H, T, S)
    """

    features: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    bias: bool
    scale: float
    dropout: float
    position_bias: str | None


class _Attention(nn.Module):
    """Base of self- and cross-attention: the weighted sum of values and the output projection."""

    takes_context = True
    store_attention = False

    def __init__(self, how: AttentionConfig) -> None:
        super().__init__()
        self.config = how
        self.attention_weights: Tensor | None = None
        self.out = nn.Linear(how.num_heads * how.head_dim, how.features, bias=how.bias)

    def split(self, x_BTE: Tensor) -> Tensor:
        """Return (B, H, T, D) from (B, T, H · D)."""
        return x_BTE.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)  # type: ignore[no-any-return, no-untyped-call]

    def attend(
        self, q_BHTD: Tensor, k_BGSD: Tensor, v_BGSD: Tensor, allowed: Tensor | None, causal: bool, context: Context
    ) -> Tensor:
        """Return (B, T, F): each query's weighted mean of the values that the mask allows."""
        if self.config.position_bias is not None:
            bias_BHTS = context[self.config.position_bias].to(q_BHTD.dtype)
            allowed = bias_BHTS if allowed is None else bias_BHTS.masked_fill(~allowed, float("-inf"))
        if self.store_attention:
            y_BHTD = self._eager_attention(q_BHTD, k_BGSD, v_BGSD, allowed, causal)
        else:
            y_BHTD = F.scaled_dot_product_attention(
                q_BHTD,
                k_BGSD,
                v_BGSD,
                attn_mask=allowed,
                dropout_p=self.config.dropout if self.training else 0.0,
                is_causal=causal,
                scale=self.config.scale,
                enable_gqa=self.config.num_heads != self.config.num_kv_heads,
            )
        return self.out(y_BHTD.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _eager_attention(self, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None, causal: bool) -> Tensor:
        groups = self.config.num_heads // self.config.num_kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        scores_BHTS = q @ k.transpose(-1, -2) * self.config.scale
        if causal:
            allowed = AttentionPattern(causal=True).mask(q.shape[2], k.shape[2], q.device)
        if allowed is not None and allowed.dtype == torch.bool:
            scores_BHTS = scores_BHTS.masked_fill(~allowed, float("-inf"))
        elif allowed is not None:
            scores_BHTS = scores_BHTS + allowed
        weights_BHTS = scores_BHTS.softmax(-1).nan_to_num(0.0)  # a query without any key gives 0
        self.attention_weights = weights_BHTS.detach()
        return F.dropout(weights_BHTS, self.config.dropout, self.training) @ v


class SelfAttention(_Attention):
    """Self-attention."""

    def __init__(self, how: AttentionConfig, pattern: AttentionPattern, rotary_base: float | None) -> None:
        super().__init__(how)
        self.widths = [how.num_heads * how.head_dim, how.num_kv_heads * how.head_dim, how.num_kv_heads * how.head_dim]
        self.qkv = nn.Linear(how.features, sum(self.widths), bias=how.bias)
        self.pattern = pattern
        self.rotary = None if rotary_base is None else RotaryEmbedding(how.head_dim, rotary_base)

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, F)."""
        context = context or {}
        q, k, v = (self.split(part_BTE) for part_BTE in self.qkv(x_BTF).split(self.widths, dim=-1))
        if self.rotary is not None:
            seen = steps_seen(context)
            q, k = self.rotary(q, seen), self.rotary(k, seen)
        mask_BS = mask_of(context)
        state = state_of(context, self)
        if state is not None:
            k, v, mask_BS = _update_cache(state, k, v, mask_BS)
        queries, keys = q.shape[2], k.shape[2]
        if mask_BS is None and self.config.position_bias is None and self.pattern.is_causal_only(queries, keys):
            return self.attend(q, k, v, None, True, context)
        allowed = self.pattern.mask(queries, keys, q.device)
        if mask_BS is not None:
            real_B11S = mask_BS[:, None, None, :]
            allowed = real_B11S if allowed is None else allowed & real_B11S
        return self.attend(q, k, v, allowed, False, context)


def _update_cache(
    state: dict[str, Tensor], k: Tensor, v: Tensor, mask_BT: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Append new keys, values and mask to the cache, and return all of them."""
    past = state["k"].shape[2] if state else 0
    if mask_BT is None and "mask" in state:
        mask_BT = state["mask"].new_ones(len(k), k.shape[2])
    if mask_BT is not None:
        before = state.get("mask", mask_BT.new_ones(len(k), past))
        mask_BT = state["mask"] = torch.cat([before, mask_BT], dim=1)
    if past:
        k, v = torch.cat([state["k"], k], dim=2), torch.cat([state["v"], v], dim=2)
    state.update(k=k, v=v)
    return k, v, mask_BT


class CrossAttention(_Attention):
    """Cross-attention to a sequence of the context."""

    def __init__(self, how: AttentionConfig, memory: str, memory_features: int) -> None:
        super().__init__(how)
        self.q = nn.Linear(how.features, how.num_heads * how.head_dim, bias=how.bias)
        self.kv = nn.Linear(memory_features, 2 * how.num_kv_heads * how.head_dim, bias=how.bias)
        self.memory = memory

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, F)."""
        context = context or {}
        k, v = self._keys_and_values(context)
        mask_BS = context.get(f"{self.memory}_mask")
        allowed = None if mask_BS is None else mask_BS[:, None, None, :]
        return self.attend(self.split(self.q(x_BTF)), k, v, allowed, False, context)

    def _keys_and_values(self, context: Context) -> tuple[Any, Any]:
        """Return keys and values of the memory; in stepwise decoding they are computed once."""
        state = state_of(context, self)
        if state:
            return state["k"], state["v"]
        k, v = (self.split(part_BSE) for part_BSE in self.kv(context[self.memory]).chunk(2, dim=-1))
        if state is not None:
            state.update(k=k, v=v)
        return k, v
