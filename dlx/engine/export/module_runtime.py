"""A module in this process, as a runtime."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn


class ModuleRuntime:
    """A function of its inputs, run by torch as it is."""

    def __init__(self, function: nn.Module, names: Sequence[str]) -> None:
        self.function, self.names = function.eval(), names

    def __call__(self, inputs: Mapping[str, np.ndarray], repeats: int = 1) -> tuple[np.ndarray, list[float]]:
        """Return the predictions of a batch, and the seconds of each repeat."""
        tensors, seconds = [torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in self.names], []
        with torch.inference_mode():
            for _ in range(repeats):
                began = time.perf_counter()
                predictions = self.function(*tensors)
                seconds.append(time.perf_counter() - began)
        return predictions.numpy(), seconds

    def close(self) -> None:
        """Do nothing: the module ends with the object."""
