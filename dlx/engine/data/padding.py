"""Padding: sequences gathered into a batch as long as its longest, with an attention mask. Imports torch.

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
    """A field of sequences of varying length, whose values are on the device where batches are made."""

    values: Tensor
    spans: Spans

    @classmethod
    def to_device(cls, spans: Spans, device: torch.device) -> Sequences:
        """Move the values to a device."""
        return cls(array_to_device(spans.values, device), spans)

    @property
    def is_ragged(self) -> bool:
        """Whether samples differ in length."""
        return self.spans.length is None

    def pad(self, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Return the sequences of these rows padded to the longest, and their attention mask, None if all is real."""
        batch, lengths_B = pad_spans(self.values, self.spans, rows), self.spans.lengths[rows]
        all_real = len(rows) == 0 or bool((lengths_B == lengths_B[0]).all())
        return batch, None if all_real else attention_mask(self.spans, rows, self.values.device)


def array_to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device, in single precision where that has no double."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    has_double = device.type != "mps" or tensor.dtype != torch.float64
    return tensor.to(device) if has_double else tensor.to(device, torch.float32)


def pad_spans(values: Tensor, spans: Spans, rows: np.ndarray) -> Tensor:
    """Return the spans of these rows padded to the longest, (B, T, …): zeros (for ids: the padding) after each end.

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


def attention_mask(spans: Spans, rows: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Return the attention mask (B, T): true where `pad_spans` gives a value of the sample and not padding."""
    lengths_B = spans.lengths[rows]
    mask_BT = np.arange(int(lengths_B.max(initial=0))) < lengths_B[:, None]
    return torch.from_numpy(mask_BT).to(device or torch.device("cpu"))
