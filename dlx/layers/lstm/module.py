"""An LSTM with peepholes. B batch, T time, F features, H state, L layers times directions."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

Pair = tuple[Tensor, Tensor]


class PeepholeLSTM(nn.LSTM):
    """torch's LSTM, batch first, whose gates also see the cell: i and f the one before the step, o the one after."""

    def __init__(
        self,
        inputs: int,
        hidden: int,
        num_layers: int,
        *,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        super().__init__(
            inputs, hidden, num_layers, bias=bias, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional
        )
        for name in self._cells():
            self.register_parameter(f"peephole_{name}", nn.Parameter(torch.empty(3, hidden)))
        self.reset_parameters()

    def _cells(self) -> list[str]:
        """Return how torch names the cells: l0, l0_reverse, l1, …."""
        return [f"l{i}{way}" for i in range(self.num_layers) for way in ("", "_reverse")[: 1 + self.bidirectional]]

    def forward(self, x: Any, state: Pair | None = None) -> Any:
        """Map (B, T, F) or a packed sequence to the top states, padded or packed alike, and the last state."""
        if not isinstance(x, PackedSequence):
            return self._stack(x, state, None)
        x_BTF, lengths_B = pad_packed_sequence(x, batch_first=True)
        steps_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
        y_BTH, last = self._stack(x_BTF, state, steps_T < lengths_B.to(x_BTF.device)[:, None])
        return pack_padded_sequence(y_BTH, lengths_B, batch_first=True, enforce_sorted=False), last

    def _stack(self, x_BTF: Tensor, state: Pair | None, mask_BT: Tensor | None) -> tuple[Tensor, Pair]:
        cells, ways = self._cells(), 1 + self.bidirectional
        zero_LBH = x_BTF.new_zeros(len(cells), x_BTF.shape[0], self.hidden_size)
        h_LBH, c_LBH = state or (zero_LBH, zero_LBH)
        ends: list[Pair] = []
        for i in range(self.num_layers):
            outputs: list[Tensor] = []
            for k in range(ways * i, ways * (i + 1)):
                y_BTH, end = self._cell(cells[k], x_BTF, (h_LBH[k], c_LBH[k]), mask_BT)
                outputs.append(y_BTH)
                ends.append(end)
            x_BTF = torch.cat(outputs, -1)
            if i + 1 < self.num_layers:
                x_BTF = F.dropout(x_BTF, self.dropout, self.training)
        return x_BTF, (torch.stack([h for h, _ in ends]), torch.stack([c for _, c in ends]))

    def _cell(self, name: str, x_BTF: Tensor, state: Pair, mask_BT: Tensor | None) -> tuple[Tensor, Pair]:
        """Run one cell in its direction; a step that is not real leaves the state as it is."""
        weight, peephole = getattr(self, f"weight_hh_{name}"), getattr(self, f"peephole_{name}")
        bias_ih, bias_hh = (getattr(self, f"bias_{k}_{name}") if self.bias else None for k in ("ih", "hh"))
        inputs_BTG = F.linear(x_BTF, getattr(self, f"weight_ih_{name}"), bias_ih)
        steps = range(x_BTF.shape[1])
        outputs: dict[int, Tensor] = {}
        for t in reversed(steps) if name.endswith("reverse") else steps:
            after = _step(inputs_BTG[:, t] + F.linear(state[0], weight, bias_hh), state[1], peephole)
            if mask_BT is not None:
                real_B1 = mask_BT[:, t, None]
                after = (torch.where(real_B1, after[0], state[0]), torch.where(real_B1, after[1], state[1]))
            state = after
            outputs[t] = state[0]
        return torch.stack([outputs[t] for t in steps], 1), state


def _step(gates_BG: Tensor, c_BH: Tensor, peephole_3H: Tensor) -> Pair:
    """Return output and cell after one step; gates in torch's order: input, forget, cell, output."""
    i_BH, f_BH, g_BH, o_BH = gates_BG.chunk(4, 1)
    new_BH = torch.sigmoid(f_BH + peephole_3H[1] * c_BH) * c_BH
    new_BH = new_BH + torch.sigmoid(i_BH + peephole_3H[0] * c_BH) * torch.tanh(g_BH)
    return torch.sigmoid(o_BH + peephole_3H[2] * new_BH) * torch.tanh(new_BH), new_BH
