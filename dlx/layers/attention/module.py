"""Multi-head attention. B batch, H heads, G heads of keys, T queries, S keys, F features, D features of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.layers.attention.alibi import LinearBias
from dlx.layers.attention.pattern import AttentionPattern
from dlx.layers.attention.rotary import RotaryEmbedding
from dlx.nn.context import Context, mask_of, past_length, state_of


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

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.attention_weights: Tensor | None = None
        self.out = nn.Linear(config.num_heads * config.head_dim, config.features, bias=config.bias)

    def split(self, x_BTE: Tensor) -> Tensor:
        """Return (B, H, T, D) from (B, T, H · D)."""
        return x_BTE.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)  # type: ignore[no-any-return, no-untyped-call]

    def bias(self, context: Context, queries: int, keys: int) -> Tensor | None:
        """Return what is added to the scores, broadcastable to (B, H, T, S); None for nothing."""
        return None if self.config.position_bias is None else context[self.config.position_bias]

    def attend(
        self,
        q_BHTD: Tensor,
        k_BGSD: Tensor,
        v_BGSD: Tensor,
        allowed: Tensor | None,
        causal: bool,
        bias_BHTS: Tensor | None,
    ) -> Tensor:
        """Return (B, T, F): each query's weighted mean of the values that the mask allows."""
        if bias_BHTS is not None:
            bias_BHTS = bias_BHTS.to(q_BHTD.dtype)
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

    def __init__(
        self, config: AttentionConfig, pattern: AttentionPattern, rope_theta: float | None, alibi: bool
    ) -> None:
        super().__init__(config)
        self.widths = [
            config.num_heads * config.head_dim,
            config.num_kv_heads * config.head_dim,
            config.num_kv_heads * config.head_dim,
        ]
        self.qkv = nn.Linear(config.features, sum(self.widths), bias=config.bias)
        self.pattern = pattern
        self.rotary = None if rope_theta is None else RotaryEmbedding(config.head_dim, rope_theta)
        self.alibi = LinearBias(config.num_heads) if alibi else None

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, F)."""
        context = context or {}
        q, k, v = (self.split(part_BTE) for part_BTE in self.qkv(x_BTF).split(self.widths, dim=-1))
        if self.rotary is not None:
            seen = past_length(context)
            q, k = self.rotary(q, seen), self.rotary(k, seen)
        mask_BS = mask_of(context)
        state = state_of(context, self)
        if state is not None:
            k, v, mask_BS = _update_cache(state, k, v, mask_BS)
        queries, keys = q.shape[2], k.shape[2]
        bias = self.bias(context, queries, keys)
        if mask_BS is None and bias is None and self.pattern.is_causal_only(queries, keys):
            return self.attend(q, k, v, None, True, None)
        allowed = self.pattern.mask(queries, keys, q.device)
        if mask_BS is not None:
            real_B11S = mask_BS[:, None, None, :]
            allowed = real_B11S if allowed is None else allowed & real_B11S
        return self.attend(q, k, v, allowed, False, bias)

    def bias(self, context: Context, queries: int, keys: int) -> Tensor | None:
        bias = super().bias(context, queries, keys)
        if self.alibi is None:
            return bias
        linear_1HTS: Tensor = self.alibi(queries, keys)
        return linear_1HTS if bias is None else bias + linear_1HTS


def _update_cache(
    state: dict[str, Tensor], k: Tensor, v: Tensor, mask_BT: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Append new keys, values and mask to the cache, and return all of them."""
    past = state["k"].shape[2] if state else 0
    if mask_BT is None and "mask" in state:
        mask_BT = state["mask"].new_ones(k.shape[0], k.shape[2])
    if mask_BT is not None:
        before = state.get("mask", mask_BT.new_ones(k.shape[0], past))
        mask_BT = state["mask"] = torch.cat([before, mask_BT], dim=1)
    if past:
        k, v = torch.cat([state["k"], k], dim=2), torch.cat([state["v"], v], dim=2)
    state.update(k=k, v=v)
    return k, v, mask_BT


class CrossAttention(_Attention):
    """Cross-attention to a sequence of the context."""

    def __init__(self, config: AttentionConfig, memory: str, memory_features: int) -> None:
        super().__init__(config)
        self.q = nn.Linear(config.features, config.num_heads * config.head_dim, bias=config.bias)
        self.kv = nn.Linear(memory_features, 2 * config.num_kv_heads * config.head_dim, bias=config.bias)
        self.memory = memory

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, F)."""
        context = context or {}
        k, v = self._keys_and_values(context)
        mask_BS = context.get(f"{self.memory}_mask")
        allowed = None if mask_BS is None else mask_BS[:, None, None, :]
        q = self.split(self.q(x_BTF))
        return self.attend(q, k, v, allowed, False, self.bias(context, q.shape[2], k.shape[2]))

    def _keys_and_values(self, context: Context) -> tuple[Any, Any]:
        """Return keys and values of the memory; in stepwise decoding they are computed once."""
        state = state_of(context, self)
        if state:
            return state["k"], state["v"]
        k, v = (self.split(part_BSE) for part_BSE in self.kv(context[self.memory]).chunk(2, dim=-1))
        if state is not None:
            state.update(k=k, v=v)
        return k, v
