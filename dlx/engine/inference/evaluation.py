"""The result of an evaluation, whatever predicted. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SplitName = Literal["test", "val", "train"]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a run on some samples; `claims` tells for each of the recipe's claims on them whether it held."""

    checkpoint: Path
    split: str
    data: str | None
    samples: int
    metrics: dict[str, float]
    claims: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self), "checkpoint": str(self.checkpoint)}
