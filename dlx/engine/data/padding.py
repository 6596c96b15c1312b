"""Gathering spans into a batch: as long as its longest, with a mask of what is real. Imports torch.

Axes: B samples, T time; any further axes are those of one moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlx.sources import Spans


@dataclass(frozen=True)
class Sequences:
    """A field of sequences whose values are on the device where batches are made."""

    values: Tensor
    spans: Spans

    @classmethod
    def resident(cls, spans: Spans, device: torch.device) -> Sequences:
        """Move the values to a device."""
        return cls(on_device(spans.values, device), spans)

    @property
    def varying(self) -> bool:
        """Whether samples differ in length."""
        return self.spans.length is None

    def padded(self, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Return the sequences of these rows, and which steps are real; None if all are."""
        batch, lengths_B = gathered(self.values, self.spans, rows), self.spans.lengths[rows]
        all_real = len(rows) == 0 or bool((lengths_B == lengths_B[0]).all())
        return batch, None if all_real else real(self.spans, rows, self.values.device)


def on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device, in single precision where that has no double."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return (
        tensor.to(device, torch.float32)
        if tensor.dtype == torch.float64 and device.type == "mps"
        else tensor.to(device)
    )


def gathered(values: Tensor, spans: Spans, rows: np.ndarray) -> Tensor:
    """Return the spans of these rows, (B, T, …), filled with zeros (for ids: the padding) after the end of each.

    values  the spans' values, on the device where the batch is wanted
    """
    starts_B, lengths_B = spans.starts[rows], spans.lengths[rows]
    moment_T = np.arange(int(lengths_B.max(initial=0)))
    real_BT = moment_T < lengths_B[:, None]
    index_BT = torch.from_numpy(np.where(real_BT, starts_B[:, None] + moment_T, 0)).to(values.device)
    batch = values[index_BT]
    if real_BT.all():
        return batch
    padded_BT = torch.from_numpy(~real_BT).to(values.device)
    return batch.masked_fill(padded_BT.reshape(*padded_BT.shape, *[1] * (batch.ndim - 2)), 0)


def real(spans: Spans, rows: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Return the mask (B, T) that is true where `gathered` gives a value of the sample and not padding."""
    lengths_B = spans.lengths[rows]
    mask_BT = np.arange(int(lengths_B.max(initial=0))) < lengths_B[:, None]
    return torch.from_numpy(mask_BT).to(device or torch.device("cpu"))
