"""Recurrent decoders with attention. B batch, T steps, F features, S steps of the memory, D its features, H state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, mask_of, state_of
from dlx.nn.recurrent import (
    Recurrent,
    State,
    first_step,
    join_state,
    last_step,
    select_state,
    split_state,
    state_from_cache,
    state_to_cache,
)


@dataclass
class EncoderMemory:
    """Memory of an encoder: values (B, S, D), keys (B, S, H), and the mask of real steps (B, S)."""

    values: Tensor
    keys: Tensor
    mask: Tensor | None

    def weights(self, score_BTS: Tensor) -> Tensor:
        """Return attention weights, which add up to 1 over the real steps."""
        if self.mask is None:
            return score_BTS.softmax(-1)
        padded_B1S = ~self.mask[:, None]
        weights_BTS = score_BTS.masked_fill(padded_B1S, torch.finfo(score_BTS.dtype).min).softmax(-1)
        return weights_BTS.masked_fill(padded_B1S, 0.0)


class DecoderInput(NamedTuple):
    """What a decoder reads: inputs and which of their steps are real, the state before, and the encoder's memory.

    cache  the state of stepwise decoding; None where x is a whole sequence
    """

    inputs: Tensor
    mask: Tensor | None
    state: State
    memory: EncoderMemory
    cache: dict[str, Tensor] | None


def mean_of(values_BSD: Tensor, mask_BS: Tensor | None) -> Tensor:
    """Return the mean over the real steps, (B, D)."""
    if mask_BS is None:
        return values_BSD.mean(1)
    real_BS1 = mask_BS[..., None]
    return values_BSD.masked_fill(~real_BS1, 0.0).sum(1) / real_BS1.sum(1).clamp(min=1)


def backward_end_of(values_BSD: Tensor, mask_BS: Tensor | None) -> Tensor:
    """Return where the backward states of a bidirectional encoder end: half of the first real step, (B, D / 2)."""
    return first_step(values_BSD.chunk(2, dim=-1)[1], mask_BS)


SUMMARIES = {"mean": mean_of, "backward": backward_end_of, "last": last_step}


class _Decoder(nn.Module):
    """Base of decoders: a cell, attention to a memory, and an output layer that reads both."""

    takes_context = True
    memory = "memory"
    initial: nn.Module
    keys: nn.Module
    cell: Recurrent
    output: nn.Module

    def __init__(self, parts: Mapping[str, nn.Module], initial_state: str) -> None:
        super().__init__()
        self.initial_state = initial_state
        for name, part in parts.items():
            self.add_module(name, part)
        self.store_attention = False
        self.attention_weights: Tensor | None = None

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, H); the attention weights are stored on demand."""
        context = context or {}
        cache, values_BSD, mask_BS = state_of(context, self), context["memory"], context.get("memory_mask")
        keys_BSH = cache["keys"] if cache else self.keys(values_BSD)
        state = state_from_cache(cache or {})
        if state is None:
            state = self._start(values_BSD, mask_BS)
        given = DecoderInput(x_BTF, mask_of(context), state, EncoderMemory(values_BSD, keys_BSH, mask_BS), cache)
        y_BTH, weights_BTS, state = self.decode(given)
        if cache is not None:
            cache.update({**state_to_cache(state), "keys": keys_BSH})
        if self.store_attention:
            self.attention_weights = weights_BTS[:, None].detach()
        return y_BTH

    def decode(self, given: DecoderInput) -> tuple[Tensor, Tensor, State]:
        """Return the outputs (B, T, H), the attention weights (B, T, S), and the last state."""
        raise NotImplementedError

    def combine(self, state_BTH: Tensor, context_BTD: Tensor) -> Tensor:
        """Return the output (B, T, H) of states and context vectors."""
        return torch.tanh(self.output(torch.cat([state_BTH, context_BTD], -1)))

    def _start(self, values_BSD: Tensor, mask_BS: Tensor | None) -> State:
        """Return the initial state."""
        core = self.cell.core
        flat_BN = torch.tanh(self.initial(SUMMARIES[self.initial_state](values_BSD, mask_BS)))
        parts = flat_BN.unflatten(1, (-1, core.num_layers, core.hidden_size)).unbind(1)
        return join_state([part.transpose(0, 1).contiguous() for part in parts])


class BahdanauDecoder(_Decoder):
    """Bahdanau (additive) attention with the state before the step; the cell reads the context vector."""

    query: nn.Module
    score: nn.Module

    def decode(self, given: DecoderInput) -> tuple[Tensor, Tensor, State]:
        """Run step by step, as attention depends on the state of the step before."""
        x_BTF, mask_BT, state, memory, _ = given
        outputs: list[Tensor] = []
        contexts: list[Tensor] = []
        weights: list[Tensor] = []
        for t in range(x_BTF.shape[1]):
            query_B1H = self.query(split_state(state)[0][-1])[:, None]
            score_BS1 = self.score(torch.tanh(query_B1H + memory.keys))
            weights_B1S = memory.weights(score_BS1.transpose(1, 2))
            context_B1D = torch.bmm(weights_B1S, memory.values)
            y_B1H, after = self.cell.core(torch.cat([x_BTF[:, t : t + 1], context_B1D], -1), state)
            state = after if mask_BT is None else select_state(mask_BT[:, t, None], after, state)
            outputs.append(y_B1H)
            contexts.append(context_B1D)
            weights.append(weights_B1S)
        return self.combine(torch.cat(outputs, 1), torch.cat(contexts, 1)), torch.cat(weights, 1), state


class LuongDecoder(_Decoder):
    """Luong (multiplicative) attention with the state after the step."""

    def decode(self, given: DecoderInput) -> tuple[Tensor, Tensor, State]:
        """Run all steps of the cell at once, then attend for all of them at once."""
        y_BTH, after = self.cell.run_cells(given.inputs, given.mask, given.state, carry=given.cache is not None)
        return *self.attend(y_BTH, given.memory), after

    def attend(self, state_BTH: Tensor, memory: EncoderMemory) -> tuple[Tensor, Tensor]:
        """Return the outputs (B, T, H) and the attention weights (B, T, S)."""
        weights_BTS = memory.weights(torch.bmm(state_BTH, memory.keys.transpose(1, 2)))
        return self.combine(state_BTH, torch.bmm(weights_BTS, memory.values)), weights_BTS


class InputFeedingDecoder(LuongDecoder):
    """Luong attention with input feeding: the cell also reads the output of the step before."""

    def decode(self, given: DecoderInput) -> tuple[Tensor, Tensor, State]:
        """Run step by step, as each reads the output of the one before; before the first it is zero."""
        x_BTF, mask_BT, state, memory, cache = given
        before_B1H = x_BTF.new_zeros(x_BTF.shape[0], 1, self.cell.core.hidden_size)
        before_B1H = (cache or {}).get("output", before_B1H)
        outputs: list[Tensor] = []
        weights: list[Tensor] = []
        for t in range(x_BTF.shape[1]):
            state_B1H, after = self.cell.core(torch.cat([x_BTF[:, t : t + 1], before_B1H], -1), state)
            y_B1H, weights_B1S = self.attend(state_B1H, memory)
            outputs.append(y_B1H)
            weights.append(weights_B1S)
            if mask_BT is None:
                state, before_B1H = after, y_B1H
            else:
                state = select_state(mask_BT[:, t, None], after, state)
                before_B1H = torch.where(mask_BT[:, t, None, None], y_B1H, before_B1H)
        if cache is not None:
            cache["output"] = before_B1H
        return torch.cat(outputs, 1), torch.cat(weights, 1), state
