"""The table of predictions, whatever made them. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """One entry for every sample.

    columns  the table's columns by name
    notes    what differs from when the run was trained, or may be wrong with the samples
    masks    class indices (H, W) of every image's pixels, of a segmentation
    sizes    height and width of every image before it was resized, where that is known
    classes  what class indices in masks mean
    rows     which samples of the run's own data they are, counted from 0; none of other samples
    """

    columns: Mapping[str, list[Any]]
    notes: list[str]
    masks: np.ndarray | None = None
    sizes: Sequence[tuple[int, int]] = ()
    classes: tuple[str, ...] = ()
    rows: Sequence[int] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def write_masks(self, folder: Path) -> list[Path]:
        """Write each image's mask into a folder as PNG. Raises: UsageError if there are no masks."""
        from dlx.engine.inference.masks import write_masks

        return write_masks(self, folder)

    def frame(self) -> Any:
        """Return a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))


def pad_outputs(outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Return outputs of batches of sequences padded to one length, with −1 after the end of the shorter ones."""
    if len({o.shape[1:] for o in outputs}) == 1 or outputs[0].ndim != 2:
        return outputs
    longest = max(o.shape[1] for o in outputs)
    return [np.pad(o, ((0, 0), (0, longest - o.shape[1])), constant_values=-1) for o in outputs]
