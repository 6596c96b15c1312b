"""What figures of an evaluation are drawn of: values of its samples, collected batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

GROUP_SIZE, GROUPS = 256, 4
"""Samples that are compared with one another at a time where a loss of samples together is measured, and how often."""


@dataclass(frozen=True)
class EvaluationArrays:
    """Arrays on the CPU of an evaluated split.

    rows       which rows of the data the samples are
    values     an entry for each of the rows, by name, such as predictions
    extras     arrays of no particular samples, such as those that were generated
    inputs     the data's own arrays, as the source has them
    identity   what tells each row of the data apart, by name, such as its file
    """

    rows: np.ndarray
    values: Mapping[str, np.ndarray]
    extras: Mapping[str, np.ndarray]
    inputs: Mapping[str, Any]
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row_names(self) -> list[str]:
        """A name of each of the rows, such as its file; none where the source gives them no names."""
        columns = [np.asarray(column)[self.rows] for column in self.identity.values()]
        return [" ".join(map(str, parts)) for parts in zip(*columns, strict=True)]


@dataclass
class EvaluationBuffer:
    """Values of evaluated samples, batch by batch, as many as fit; and what is added once the split is over."""

    max_samples: int
    rows: list[Tensor] = field(default_factory=list)
    values: dict[str, list[Tensor]] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, rows: Tensor, values: Mapping[str, Tensor]) -> None:
        """Collect a batch, unless there is enough."""
        if sum(map(len, self.rows)) < self.max_samples:
            self.rows.append(rows.detach().cpu())
            for name, value in values.items():
                self.values.setdefault(name, []).append(_on_cpu(value))

    def join(self, other: EvaluationBuffer) -> None:
        """Add what another process collected; its extras are those of this one, or of its samples alone."""
        self.rows += other.rows
        for name, more in other.values.items():
            self.values.setdefault(name, []).extend(more)

    def finalize(self, inputs: Mapping[str, Any], identity: Mapping[str, Any]) -> EvaluationArrays:
        """Return everything as arrays, beside the data's own."""
        values = {name: torch.cat(value).numpy() for name, value in self.values.items()}
        return EvaluationArrays(torch.cat(self.rows).numpy(), values, self.extras, inputs, identity)


def _on_cpu(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    return value.float() if value.is_floating_point() else value
