"""Feature queue (memory bank): features that were seen last, which take the place of the oldest. M places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class FeatureQueue(nn.Module):
    """Keeps the last rows of several tensors that belong together, as buffers; of all processes, by rank."""

    def __init__(self, start: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.size = len(next(iter(start.values())))
        for name, rows_M in start.items():
            self.register_buffer(name, rows_M)
        self.register_buffer("place", torch.tensor(0))
        self.place: Tensor

    def enqueue(self, rows: Mapping[str, Tensor]) -> None:
        """Put rows where the oldest are."""
        for name, value in rows.items():
            last = gather_rows(value)[-self.size :]
            places = (self.place + torch.arange(len(last), device=last.device)) % self.size
            buffer: Tensor = getattr(self, name)
            buffer[places] = last.to(buffer.dtype)
        self.place.copy_((self.place + len(last)) % self.size)


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes (all-gather), which may have different numbers of them, by rank."""
    if not torch.distributed.is_initialized():
        return rows
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    padded = rows.new_zeros(int(max(counts)), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    torch.distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
