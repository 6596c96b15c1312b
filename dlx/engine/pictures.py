"""Pictures of a run: learning curves, and what the task draws of its test predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlx.engine.build import Experiment


def draw_all(folder: Path, history: Mapping[str, list[tuple[int, float]]], experiment: Experiment) -> list[Path]:
    """Draw every picture of a finished run as PNG and return where they are."""
    return []
