"""Decoders that look at a memory. B batch, T steps, F features, S places of the memory, D its features, H state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx.nn.context import Context, mask_of, state_of
from dlx.nn.recurrent import Recurrent, State, choose, join_parts, parts_of, recall, remember


@dataclass
class EncoderMemory:
    """What an encoder made (B, S, D), the keys by which it is looked up (B, S, H), which places are real (B, S)."""

    values: Tensor
    keys: Tensor
    mask: Tensor | None

    def weights(self, score_BTS: Tensor) -> Tensor:
        """Return shares that add up to 1 over the real places."""
        if self.mask is None:
            return score_BTS.softmax(-1)
        padded_B1S = ~self.mask[:, None]
        share_BTS = score_BTS.masked_fill(padded_B1S, torch.finfo(score_BTS.dtype).min).softmax(-1)
        return share_BTS.masked_fill(padded_B1S, 0.0)


class _Decoder(nn.Module):
    """A cell, a memory, and a layer that reads both."""

    takes_context = True
    memory = "memory"
    initial: nn.Module
    keys: nn.Module
    cell: Recurrent
    output: nn.Module

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.store_attention = False
        self.attention_weights: Tensor | None = None

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, T, H); the weights of the attention are kept on demand."""
        context = context or {}
        kept, values_BSD, mask_BS = state_of(context, self), context["memory"], context.get("memory_mask")
        keys_BSH = kept["keys"] if kept else self.keys(values_BSD)
        state = recall(kept or {})
        if state is None:
            state = self._start(values_BSD, mask_BS)
        memory = EncoderMemory(values_BSD, keys_BSH, mask_BS)
        y_BTH, share_BTS, state = self.decode(x_BTF, mask_of(context), state, memory, kept)
        if kept is not None:
            kept.update({**remember(state), "keys": keys_BSH})
        if self.store_attention:
            self.attention_weights = share_BTS[:, None].detach()
        return y_BTH

    def decode(
        self, x_BTF: Tensor, mask_BT: Tensor | None, state: State, memory: EncoderMemory, kept: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor, State]:
        """Return the outputs (B, T, H), where they come from in the memory (B, T, S), and the last state.

        kept  what a cache has of this decoder; None where x is a whole sequence
        """
        raise NotImplementedError

    def combine(self, state_BTH: Tensor, found_BTD: Tensor) -> Tensor:
        """Return the output (B, T, H) that a state and what was found for it make together."""
        return torch.tanh(self.output(torch.cat([state_BTH, found_BTD], -1)))

    def _start(self, values_BSD: Tensor, mask_BS: Tensor | None) -> State:
        """Return the first state, from the mean over the real places."""
        if mask_BS is None:
            mean_BD = values_BSD.mean(1)
        else:
            real_BS1 = mask_BS[..., None]
            mean_BD = values_BSD.masked_fill(~real_BS1, 0.0).sum(1) / real_BS1.sum(1).clamp(min=1)
        core = self.cell.core
        flat_BN = torch.tanh(self.initial(mean_BD))
        parts = flat_BN.unflatten(1, (-1, core.num_layers, core.hidden_size)).unbind(1)
        return join_parts([part.transpose(0, 1).contiguous() for part in parts])


class BahdanauDecoder(_Decoder):
    """Additive attention with the state before the step; the cell reads what it finds."""

    query: nn.Module
    score: nn.Module

    def decode(
        self, x_BTF: Tensor, mask_BT: Tensor | None, state: State, memory: EncoderMemory, kept: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor, State]:
        """Go step by step, for where to look depends on the step before."""
        outputs: list[Tensor] = []
        found: list[Tensor] = []
        shares: list[Tensor] = []
        for t in range(x_BTF.shape[1]):
            query_B1H = self.query(parts_of(state)[0][-1])[:, None]
            score_BS1 = self.score(torch.tanh(query_B1H + memory.keys))
            share_B1S = memory.weights(score_BS1.transpose(1, 2))
            found_B1D = torch.bmm(share_B1S, memory.values)
            y_B1H, after = self.cell.core(torch.cat([x_BTF[:, t : t + 1], found_B1D], -1), state)
            state = after if mask_BT is None else choose(mask_BT[:, t, None], after, state)
            outputs.append(y_B1H)
            found.append(found_B1D)
            shares.append(share_B1S)
        return self.combine(torch.cat(outputs, 1), torch.cat(found, 1)), torch.cat(shares, 1), state


class LuongDecoder(_Decoder):
    """Multiplicative attention with the state after the step; the cell does not know what it finds."""

    def decode(
        self, x_BTF: Tensor, mask_BT: Tensor | None, state: State, memory: EncoderMemory, kept: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor, State]:
        """Run all steps of the cell at once, then look for all of them at once."""
        y_BTH, after = self.cell.run(x_BTF, mask_BT, state, carry=kept is not None)
        return *self.attend(y_BTH, memory), after

    def attend(self, state_BTH: Tensor, memory: EncoderMemory) -> tuple[Tensor, Tensor]:
        """Return the outputs (B, T, H) and where they come from (B, T, S)."""
        share_BTS = memory.weights(torch.bmm(state_BTH, memory.keys.transpose(1, 2)))
        return self.combine(state_BTH, torch.bmm(share_BTS, memory.values)), share_BTS


class InputFeedingDecoder(LuongDecoder):
    """The same, but the cell also reads the output of the step before: where it has looked so far."""

    def decode(
        self, x_BTF: Tensor, mask_BT: Tensor | None, state: State, memory: EncoderMemory, kept: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor, State]:
        """Go step by step, for each reads what the one before gave; before the first that is zero."""
        before_B1H = x_BTF.new_zeros(len(x_BTF), 1, self.cell.core.hidden_size)
        before_B1H = (kept or {}).get("output", before_B1H)
        outputs: list[Tensor] = []
        shares: list[Tensor] = []
        for t in range(x_BTF.shape[1]):
            state_B1H, after = self.cell.core(torch.cat([x_BTF[:, t : t + 1], before_B1H], -1), state)
            y_B1H, share_B1S = self.attend(state_B1H, memory)
            outputs.append(y_B1H)
            shares.append(share_B1S)
            if mask_BT is None:
                state, before_B1H = after, y_B1H
            else:
                state = choose(mask_BT[:, t, None], after, state)
                before_B1H = torch.where(mask_BT[:, t, None, None], y_B1H, before_B1H)
        if kept is not None:
            kept["output"] = before_B1H
        return torch.cat(outputs, 1), torch.cat(shares, 1), state
