"""Recurrence over padded sequences. B batch, T time, F features, H state, L layers times directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dlx.nn.context import Context, mask_of, state_of

State = Tensor | tuple[Tensor, ...]
PARTS = ("h", "c")  # what a state consists of; only that of an LSTM has a second part


class Recurrent(nn.Module):
    """Runs cells over the real steps of a sequence, wherever its padding stands, and keeps their state in a cache."""

    takes_context = True

    def __init__(self, core: nn.RNNBase, last: bool = False) -> None:
        super().__init__()
        self.core = core
        self.last = last

    def fill_weight(self, fill: Callable[[Tensor], None]) -> None:
        """Start every gate's matrices anew, each by itself."""
        for name, parameter in self.core.named_parameters():
            if name.startswith("weight_"):
                for gate in parameter.split(self.core.hidden_size):
                    fill(gate)

    def forward(self, x_BTF: Tensor, context: Context | None = None) -> Tensor:
        """Return the top layer's state at every step, zero at padded ones; or the last of each direction."""
        mask_BT, kept = mask_of(context), state_of(context, self)
        if kept is None:
            y_BTH, _ = self.run_cells(x_BTF, mask_BT)
        elif self.core.bidirectional:
            raise ValueError("a bidirectional layer reads the whole sequence: it cannot go on step by step")
        else:
            y_BTH, state = self.run_cells(x_BTF, mask_BT, state_from_cache(kept), carry=True)
            kept.update(state_to_cache(state))
        return self._final_states(y_BTH, mask_BT) if self.last else y_BTH

    def run_cells(
        self, x_BTF: Tensor, mask_BT: Tensor | None = None, state: State | None = None, carry: bool = False
    ) -> tuple[Tensor, State]:
        """Return the states at every step, and the whole state after the last real one.

        With a mask, the latter is exact only on `carry`: without need of it, a forward layer just runs on over the
        padding, which is faster than leaving it out.
        """
        if mask_BT is None:
            return self.core(x_BTF, state)  # type: ignore[no-any-return]
        steps = mask_BT.shape[1]
        order_T = torch.arange(steps, device=mask_BT.device)
        real_first_BT = (order_T + steps * mask_BT.logical_not()).argsort(dim=1)  # all differ: ONNX has no stable sort
        x_BTF = gather_steps(x_BTF, real_first_BT)
        if carry or self.core.bidirectional:
            y_BTH, state = self._run_packed(x_BTF, mask_BT.sum(1), state)
        else:
            y_BTH, state = self.core(x_BTF, state)
        y_BTH = gather_steps(y_BTH, real_first_BT.argsort(dim=1))
        return y_BTH.masked_fill(mask_BT.logical_not()[..., None], 0.0), state

    def _run_packed(self, x_BTF: Tensor, lengths_B: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run over the first steps of each sample only; a sample without any keeps its state."""
        packed = pack_padded_sequence(x_BTF, lengths_B.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, after = self.core(packed, state)
        y_BTH, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x_BTF.shape[1])
        start = join_state([torch.zeros_like(part) for part in split_state(after)]) if state is None else state
        return y_BTH, select_state((lengths_B > 0)[:, None], after, start)

    def _final_states(self, y_BTH: Tensor, mask_BT: Tensor | None) -> Tensor:
        """Return the forward states at the last real step, and behind them the backward ones at the first."""
        ahead_BTH, *back = y_BTH.split(self.core.hidden_size, -1)
        return torch.cat([last_step(ahead_BTH, mask_BT), *(first_step(b_BTH, mask_BT) for b_BTH in back)], -1)


def gather_steps(x_BTF: Tensor, steps_BN: Tensor) -> Tensor:
    """Return (B, N, F): of each sample the steps whose indices are given."""
    samples_B1 = torch.arange(x_BTF.shape[0], device=x_BTF.device)[:, None]
    return x_BTF[samples_B1, steps_BN]


def first_step(x_BTF: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Return (B, F): the first real step of each sample."""
    if mask_BT is None:
        return x_BTF[:, 0]
    return gather_steps(x_BTF, mask_BT.to(torch.uint8).argmax(1, keepdim=True))[:, 0]


def last_step(x_BTF: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Return (B, F): the last real step of each sample."""
    if mask_BT is None:
        return x_BTF[:, -1]
    order_T = torch.arange(1, mask_BT.shape[1] + 1, device=mask_BT.device)
    return gather_steps(x_BTF, (order_T * mask_BT).argmax(1, keepdim=True))[:, 0]


def state_from_cache(kept: Mapping[str, Tensor]) -> State | None:
    """Return the state that a cache holds, None at the first step."""
    parts = [kept[part].transpose(0, 1).contiguous() for part in PARTS if part in kept]
    return join_state(parts) if parts else None


def state_to_cache(state: State) -> dict[str, Tensor]:
    """Return what a cache holds of a state: the batch comes first, so that samples can be reordered."""
    return {name: part_LBH.transpose(0, 1) for name, part_LBH in zip(PARTS, split_state(state), strict=False)}


def select_state(condition_B1: Tensor, first: State, second: State) -> State:
    """Return the state of each sample from the first where the condition holds, else from the second."""
    pairs = zip(split_state(first), split_state(second), strict=True)
    return join_state([torch.where(condition_B1, a_LBH, b_LBH) for a_LBH, b_LBH in pairs])


def split_state(state: State) -> tuple[Tensor, ...]:
    """Return h, or h and c."""
    return state if isinstance(state, tuple) else (state,)


def join_state(parts: list[Tensor]) -> State:
    """Return the state that torch takes: h itself, or h and c."""
    return parts[0] if len(parts) == 1 else tuple(parts)


def set_forget_bias(core: nn.LSTM, bias: float) -> None:
    """Let the forget gates of all cells start with this bias: torch has two, of which the second becomes zero."""
    with torch.no_grad():
        for name, parameter in core.named_parameters():
            if name.startswith("bias_"):
                forget_H = parameter[core.hidden_size : 2 * core.hidden_size]
                forget_H.fill_(bias if name.startswith("bias_ih") else 0.0)
