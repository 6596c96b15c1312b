"""Figures of a regression's test predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.facts import DataFacts
from dlx.figures.base import predicted_vs_true
from dlx.figures.supervised import worst_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays


def draw(arrays: EvaluationArrays, facts: DataFacts) -> dict[str, Figure]:
    """Draw predictions against the truth, and the samples that are furthest from it."""
    predictions, targets, losses = (arrays.values[name] for name in ("predictions", "targets", "losses"))
    return {
        "predicted_vs_true": predicted_vs_true(predictions, targets, facts.fields["target"].names),
        **worst_samples(arrays.inputs, arrays.rows, losses, targets[:, 0], predictions[:, 0], facts, arrays.row_names),
    }
